"""COPY in the formats of others: JSON lines and Parquet, in both directions, all types and NULL; what does not fit is refused with its line."""
import json

import psycopg

from connections import ClientTest

TYPES = """n int, b bool, i2 smallint, i8 bigint, r real, d double precision, num numeric, num2 numeric(10,2), t text, v varchar(5), c char(4), raw bytea,
    day date, tod time, tz timetz, ts timestamp, tsz timestamptz, span interval, u uuid, j json, jb jsonb, ia int[], ta text[][], bits bit(3), o oid,
    m money, p pair, e mood, "Odd ""name" text"""

ROWS = """(1, true, -32768, 9223372036854775807, 1.5e-10, 'Infinity', 12345678901234567890.123456789, 3.14, E'tab\\t "quote" \\\\ line\\n', 'abc', 'ab',
    '\\x00ff10', '2020-02-29', '23:59:59.999999', '12:00:00+05:30', '1999-12-31 23:59:59.5', '2020-01-01 00:00:00+00', '1 year 2 mons -3 days 04:05:06.789',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', E'{"a": [1,\\n 2]}', '{"b": null, "a": 1.50}', '{1,NULL,3}', '{{a,"b c"},{"d,e",NULL}}', B'101', 42, '12.34',
    ROW(7, 'sad'), 'ok', 'x'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL),
    (3, false, 0, -1, 'NaN', -0.0, 'NaN', -0.05, '', '', '', '', 'infinity', '00:00', '00:00-12', '-infinity', 'infinity', '-1 day', NULL, 'null', '[]', '{}', '{}',
    B'000', 4294967295, '-0.01', ROW(NULL, NULL), 'sad', NULL)"""


class FormatsTest(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        self.db.execute("CREATE TYPE pair AS (a int, b mood)")
        self.db.execute(f"CREATE TABLE source ({TYPES})")
        self.db.execute(f"INSERT INTO source VALUES {ROWS}")
        self.db.execute("SET timezone = 'UTC'")

    def out(self, what, options):
        with self.db.cursor().copy(f"COPY {what} TO STDOUT ({options})") as copy:
            return b"".join(bytes(piece) for piece in copy)

    def into(self, table, options, data):
        with self.db.cursor() as cursor:
            with cursor.copy(f"COPY {table} FROM STDIN ({options})") as copy:
                for start in range(0, len(data), 1000):
                    copy.write(data[start:start + 1000])
            return cursor.rowcount

    def texts(self, table):
        return self.db.execute(f"SELECT t::text FROM {table} t ORDER BY n").fetchall()

    def test_json_lines_come_back(self):
        data = self.out("source", "FORMAT json")
        lines = [json.loads(line) for line in data.decode().splitlines()]
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[0]["num"], 12345678901234567890.123456789)
        self.assertEqual((lines[0]["ia"], lines[0]["p"], lines[0]["Odd \"name"]), ([1, None, 3], {"a": 7, "b": "sad"}, "x"))
        self.assertEqual(set(lines[1].values()), {2, None})
        self.db.execute("CREATE TABLE target (LIKE source)")
        self.assertEqual(self.into("target", "FORMAT json", data), 3)
        # Within one line a json value has no line ends, and a JSON null is a NULL.
        self.db.execute("UPDATE source SET j = replace(j::text, chr(10), ' ')::json, jb = nullif(jb::text, 'null')::jsonb")
        self.db.execute("UPDATE source SET j = NULL WHERE n = 3")
        self.assertEqual(self.texts("target"), self.texts("source"))

    def test_json_of_a_query_and_of_some_columns(self):
        self.assertEqual(self.out("(SELECT n, n * 2 AS twice FROM source ORDER BY n)", "FORMAT json"),
            b'{"n":1,"twice":2}\n{"n":2,"twice":4}\n{"n":3,"twice":6}\n')
        self.assertEqual(self.into("source (t, n)", "FORMAT json", b'\n{"n": 4}\r\n  {"t": "\\u00e4,}", "n": "5"}'), 2)
        self.assertEqual(self.db.execute("SELECT t FROM source WHERE n > 3 ORDER BY n").fetchall(), [(None,), ("ä,}",)])

    def test_what_is_wrong_in_json_is_told_with_its_line(self):
        for line, sqlstate, word in [
            (b'{"n": 1', "22P04", "no object"),
            (b'[1]', "22P04", "no object"),
            (b'{"n": 1, "z": 2}', "22P04", 'key "z"'),
            (b'{"n": x}', "22P02", "json"),
            (b'{"n": 1.5}', "22P02", "integer"),
            (b'{"n": 99999999999}', "22003", "range"),
            (b'{"v": "too long"}', "22001", "too long"),
            (b'{"t": "\xff"}', "22021", "UTF8"),
            (b'{"e": "glad"}', "22P02", "mood"),
            (b'{"t": "a\\u0000"}', "22P05", ""),
        ]:
            with self.subTest(line=line), self.fails(sqlstate) as caught:
                self.into("source", "FORMAT json", b'{"n": 100}\n' + line + b"\n")
            self.assertIn("line 2", caught.exception.diag.context)
            self.assertIn(word, str(caught.exception))
        self.assertEqual(self.value("SELECT count(*) FROM source"), 3)

    def test_parquet_comes_back(self):
        self.db.execute("UPDATE source SET num2 = 1.25 WHERE n = 3")
        data = self.out("source", "FORMAT parquet")
        self.assertEqual((data[:4], data[-4:]), (b"PAR1", b"PAR1"))
        self.db.execute("CREATE TABLE target (LIKE source)")
        self.assertEqual(self.into("target", "FORMAT parquet", data), 3)
        self.assertEqual(self.texts("target"), self.texts("source"))
        self.assertEqual(self.into("target", "FORMAT parquet", self.out("(SELECT * FROM source WHERE false)", "FORMAT parquet")), 0)

    def test_parquet_of_many_rows(self):
        self.db.execute("CREATE TABLE many AS SELECT n, n::text AS t, n / 7.0 AS q FROM generate_series(1, 300000) n")
        data = self.out("many", "FORMAT parquet")
        self.db.execute("CREATE TABLE target (LIKE many)")
        self.assertEqual(self.into("target", "FORMAT parquet", data), 300000)
        self.assertEqual(self.value("SELECT count(*) FROM (TABLE many EXCEPT TABLE target) x"), 0)

    def test_parquet_columns_are_matched_by_name(self):
        data = self.out("(SELECT 7 AS b, 1::smallint AS a, NULL::text AS c)", "FORMAT parquet")
        self.db.execute("CREATE TABLE target (a bigint, b text, c int, d int DEFAULT 5)")
        self.into("target (a, b, c)", "FORMAT parquet", data)
        self.assertEqual(self.db.execute("TABLE target").fetchall(), [(1, "7", None, 5)])
        for table, word in [("target (a, b)", '"c"'), ("target", "missing data")]:
            with self.fails("22P04") as caught:
                self.into(table, "FORMAT parquet", data)
            self.assertIn(word, str(caught.exception))
        self.db.execute("CREATE TABLE narrow (a smallint, b varchar(2), c int)")
        with self.fails("22001") as caught:
            self.into("narrow", "FORMAT parquet", self.out("(SELECT 1 AS a, 'abc' AS b, 1 AS c)", "FORMAT parquet"))
        self.assertIn("row 1, column b", caught.exception.diag.context)
        with self.fails("22003"):
            self.into("narrow", "FORMAT parquet", self.out("(SELECT 70000 AS a, 'a' AS b, 1 AS c)", "FORMAT parquet"))

    def test_what_is_no_parquet_is_refused(self):
        whole = self.out("source (n, t)", "FORMAT parquet")
        for data in [b"", b"PAR1", b"hello, world", whole[:-1], whole[:len(whole) // 2], whole[4:]]:
            with self.subTest(data=data[:10]), self.fails("22P04"):
                self.into("source (n, t)", "FORMAT parquet", data)
        # Whatever byte is changed, the server lives and says what is wrong or takes other values.
        for at in range(0, len(whole), 3):
            damaged = bytearray(whole)
            damaged[at] ^= 0x55
            try:
                self.into("source (n, t)", "FORMAT parquet", bytes(damaged))
            except psycopg.Error as error:
                self.assertIsNotNone(error.sqlstate, f"byte {at}: {error}")
                self.assertNotIn(error.sqlstate[:2], ("08", "57"), f"byte {at}: {error}")

    def test_modifiers_of_types_are_kept_by_every_format(self):
        self.db.execute("CREATE TABLE fitted (v varchar(3), c char(4), num numeric(5,1), ts timestamp(0), a varchar(2)[])")
        for data in [b"abc\tx\t1.26\t2020-01-01 00:00:00.6\t{ab}\n"]:
            self.into("fitted", "FORMAT text", data)
        self.into("fitted", "FORMAT json", b'{"v":"abc","c":"x","num":1.26,"ts":"2020-01-01T00:00:00.6","a":["ab"]}')
        rows = self.db.execute("SELECT v, octet_length(c), num::text, ts::text, a FROM fitted").fetchall()
        self.assertEqual(rows, 2 * [("abc", 4, "1.3", "2020-01-01 00:00:01", ["ab"])])
        for options, data in [("FORMAT text", b"abcd\n"), ("FORMAT csv", b"abcd\n"), ("FORMAT binary", None), ("FORMAT json", b'{"v":"abcd"}'),
                ("FORMAT parquet", None)]:
            data = data or self.out("(SELECT 'abcd'::text AS v)", options)
            with self.subTest(options=options), self.fails("22001"):
                self.into("fitted (v)", options, data)

    def test_domains_are_checked_in_every_format(self):
        self.db.execute("CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'x')")
        self.db.execute("CREATE DOMAIN few AS int[] CHECK (array_length(VALUE, 1) < 3)")
        self.db.execute("CREATE DOMAIN given AS int NOT NULL")
        self.db.execute("CREATE TABLE checked (s short, f few, n given)")
        self.db.execute("CREATE TABLE free (s text, f int[], n int)")
        for options in ["FORMAT text", "FORMAT csv", "FORMAT binary", "FORMAT json", "FORMAT parquet", "FORMAT heliodump"]:
            with self.subTest(options=options):
                self.db.execute("TRUNCATE checked")
                self.db.execute("INSERT INTO checked VALUES ('abc', '{1,2}', 1), (NULL, NULL, 2)")
                self.assertEqual(self.into("checked", options, self.out("checked", options)), 2)
                for row, sqlstate in [("'x', NULL, 1", "23514"), ("'abcd', NULL, 1", "22001"), ("'a', '{1,2,3}', 1", "23514"), ("'a', NULL, NULL", "23502")]:
                    self.db.execute("TRUNCATE free")
                    self.db.execute(f"INSERT INTO free VALUES ({row})")
                    data = self.out("free", options)
                    # Batches of columns must be of the very types.
                    with self.fails("22P04" if options == "FORMAT heliodump" else sqlstate):
                        self.into("checked", options, data)
                self.assertEqual(self.value("SELECT count(*) FROM checked"), 4)

    def test_options_that_mean_nothing_are_refused(self):
        for options in ["FORMAT json, HEADER", "FORMAT parquet, DELIMITER ','", "FORMAT json, NULL 'x'"]:
            with self.subTest(options=options), self.fails("42601"):
                self.out("source", options)
