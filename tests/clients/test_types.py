"""Values of every type there and back, in text and in binary, with psycopg and psycopg2."""
import datetime
import decimal
import struct
import unittest
import uuid

import psycopg2.extras
from psycopg.types.json import Jsonb

from connections import ClientTest, connect2

UTC = datetime.timezone.utc

# SQL type, text that PostgreSQL prints for it, the value in Python
VALUES = [
    ("smallint", "-32768", -32768),
    ("integer", "2147483647", 2147483647),
    ("bigint", "-9223372036854775808", -9223372036854775808),
    ("real", "1.5", 1.5),
    ("double precision", "-1e-300", -1e-300),
    ("double precision", "Infinity", float("inf")),
    ("numeric", "123456789012345678901234567890.0123456789", decimal.Decimal("123456789012345678901234567890.0123456789")),
    ("numeric(10,2)", "-0.50", decimal.Decimal("-0.50")),
    ("numeric", "0.00001", decimal.Decimal("0.00001")),
    ("text", "größer 'as' \"ever\" \\ 日本 🎉", "größer 'as' \"ever\" \\ 日本 🎉"),
    ("text", "", ""),
    ("varchar(5)", "abc", "abc"),
    ("char(5)", "abc  ", "abc  "),
    ("boolean", "t", True),
    ("boolean", "f", False),
    ("date", "2026-02-28", datetime.date(2026, 2, 28)),
    ("time", "23:59:59.999999", datetime.time(23, 59, 59, 999999)),
    ("timestamp", "1999-12-31 23:59:59.5", datetime.datetime(1999, 12, 31, 23, 59, 59, 500000)),
    ("timestamptz", "2026-11-22 10:00:00+00", datetime.datetime(2026, 11, 22, 10, tzinfo=UTC)),
    ("interval", "3 days 04:05:06.7", datetime.timedelta(days=3, hours=4, minutes=5, seconds=6.7)),
    ("interval", "-1 days", datetime.timedelta(days=-1)),
    ("uuid", "00112233-4455-6677-8899-aabbccddeeff", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("bytea", "\\x00ff5c27", b"\x00\xff\x5c\x27"),
    ("json", '{"a": [1, null]}', {"a": [1, None]}),
    ("jsonb", '{"a": [1, 2.50, "x"], "b": null}', {"a": [1, 2.5, "x"], "b": None}),
    ("integer[]", "{1,NULL,3}", [1, None, 3]),
    ("text[]", '{"a b","",NULL,"q\\"x"}', ["a b", "", None, 'q"x']),
    ("numeric[]", "{1.50,2}", [decimal.Decimal("1.50"), decimal.Decimal(2)]),
    ("bigint[]", "{}", []),
]


class Types(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("SET TimeZone TO 'UTC'")

    def test_text_forms(self):
        for sql_type, text, _ in VALUES:
            with self.subTest(sql_type, text=text):
                form = "({})::text".format(f"'{text.replace(chr(39), chr(39) * 2)}'::{sql_type}")
                wanted = {"t": "true", "f": "false"}.get(text, text) if sql_type == "boolean" else text
                # The cast of char(n) to text drops its blanks.
                wanted = wanted.rstrip() if sql_type.startswith("char(") else wanted
                self.assertEqual(self.value(f"SELECT {form}"), wanted)

    def test_there_and_back(self):
        for binary in (False, True):
            for sql_type, _, value in VALUES:
                with self.subTest(sql_type, value=value, binary=binary):
                    wrapped = Jsonb(value) if isinstance(value, dict) else value
                    self.db.execute("DROP TABLE IF EXISTS t")
                    self.db.execute(f"CREATE TABLE t (v {sql_type})")
                    mark = "%b" if binary else "%t"
                    self.db.execute(f"INSERT INTO t VALUES ({mark}::{'jsonb' if sql_type == 'json' else sql_type}{'::json' if sql_type == 'json' else ''})", [wrapped])
                    self.assertEqual(self.value("SELECT v FROM t", binary=binary), value)
                    # The value finds itself again.
                    if sql_type not in ("json",):
                        self.assertEqual(self.value(f"SELECT count(*) FROM t WHERE v = {mark}::{sql_type}", [wrapped]), 1)

    def test_nulls(self):
        for binary in (False, True):
            for sql_type, _, _ in VALUES:
                with self.subTest(sql_type, binary=binary):
                    self.assertIsNone(self.value(f"SELECT %s::{sql_type}", [None], binary=binary))

    def test_binary_forms_of_the_catalogs_types(self):
        for value, expected in [("'7'::xid8", struct.pack("!Q", 7)), ("'1/2'::pg_lsn", struct.pack("!II", 1, 2)), ("'a'::\"char\"", b"a"),
                                ("'\\200'::\"char\"", b"\x80"), ("''::\"char\"", b"\0"), ("'8'::xid", struct.pack("!I", 8)), ("'(1,2)'::tid", struct.pack("!IH", 1, 2))]:
            with self.subTest(value), self.db.cursor(binary=True) as cursor:
                cursor.execute(f"SELECT {value}")
                self.assertEqual(cursor.pgresult.get_value(0, 0), expected)

    def test_description(self):
        cursor = self.db.execute("SELECT 1::smallint AS a, 'x'::varchar(7) AS b, 1.5::numeric(8,3) AS c, now() AS d, '{}'::text[] AS e")
        self.assertEqual([column.name for column in cursor.description], ["a", "b", "c", "d", "e"])
        self.assertEqual([column.type_code for column in cursor.description], [21, 1043, 1700, 1184, 1009])
        self.assertEqual(cursor.description[1].display_size, 7)
        self.assertEqual((cursor.description[2].precision, cursor.description[2].scale), (8, 3))

    def test_psycopg2_reads_the_same(self):
        db = connect2()
        self.addCleanup(db.close)
        psycopg2.extras.register_uuid(conn_or_curs=db)
        cursor = db.cursor()
        cursor.execute("SET TimeZone TO 'UTC'")
        for sql_type, text, value in VALUES:
            with self.subTest(sql_type, text=text):
                cursor.execute(f"SELECT %s::{sql_type}", [text])
                given = cursor.fetchone()[0]
                self.assertEqual(bytes(given) if sql_type == "bytea" else given, value)

    def test_time_zones(self):
        self.db.execute("SET TimeZone TO 'America/New_York'")
        self.assertEqual(self.value("SELECT '2026-07-01 12:00+00'::timestamptz::text"), "2026-07-01 08:00:00-04")
        self.assertEqual(self.value("SELECT '2026-01-01 12:00+00'::timestamptz::text"), "2026-01-01 07:00:00-05")
        self.assertEqual(self.db.info.timezone.key, "America/New_York")

    def test_enum(self):
        self.db.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
        self.db.execute("CREATE TABLE people (name text, mood mood)")
        for binary in ("%t", "%b"):
            self.db.execute(f"INSERT INTO people VALUES ('x', {binary}::mood)", ["happy"])
        self.db.execute("INSERT INTO people VALUES ('y', 'ok')")
        rows = self.db.execute("SELECT mood FROM people WHERE mood > 'sad' ORDER BY mood, name").fetchall()
        self.assertEqual(rows, [("ok",), ("happy",), ("happy",)])
        with self.fails("22P02"):
            self.db.execute("INSERT INTO people VALUES ('z', 'angry')")


if __name__ == "__main__":
    unittest.main()
