"""What holds memory, one kind at a time, against a server with a small limit: 53200 or success, and resident memory within a tenth of it.

Only the server has a limit here: nothing but the server's own accounting stands between a statement and the machine.
"""
import os
import pathlib
import struct
import threading
import time
import unittest

import psycopg

from configured_server import BINARY, ConfiguredServer
from raw_protocol import Raw

MB = 1 << 20
LIMIT = 160 * MB
ALLOWED = LIMIT * 11 // 10

SERIES = "generate_series(1, 1000000000) g"
STATEMENTS = {
    "sort": f"SELECT g FROM {SERIES} ORDER BY g DESC",
    "sort of texts": f"SELECT md5(g::text) FROM {SERIES} ORDER BY 1",
    "sort of wide rows": f"SELECT g, g::text, g::numeric, md5(g::text), ARRAY[g] FROM {SERIES} ORDER BY 4",
    "sort of json": f"SELECT jsonb_build_object('a', g) FROM {SERIES} ORDER BY 1",
    "top rows, all of them": f"SELECT g FROM {SERIES} ORDER BY g DESC LIMIT 900000000",
    "hash join": f"SELECT count(*) FROM {SERIES} JOIN generate_series(1, 1000000000) b ON g = b",
    "hash join of texts": f"SELECT count(*) FROM (SELECT g::text AS t FROM {SERIES}) a JOIN (SELECT g::text AS t FROM {SERIES}) b USING (t)",
    "full join": f"SELECT count(*) FROM {SERIES} FULL JOIN generate_series(1, 1000000000) b ON g = b",
    "cross join": f"SELECT count(*) FROM generate_series(1, 10) a, {SERIES}",
    "join by inequality": f"SELECT count(*) FROM generate_series(1, 10) a JOIN {SERIES} ON a < g",
    "lateral": f"SELECT count(*) FROM (VALUES (1), (2)) a(x), LATERAL (SELECT g + x AS y FROM {SERIES}) b",
    "distinct": f"SELECT DISTINCT g FROM {SERIES}",
    "distinct on": f"SELECT DISTINCT ON (g::text) g FROM {SERIES}",
    "groups": f"SELECT g::text, count(*) FROM {SERIES} GROUP BY 1",
    "groups of numeric sums": f"SELECT g, sum(g::numeric), avg(g::numeric), stddev(g::numeric) FROM {SERIES} GROUP BY 1",
    "grouping sets": f"SELECT g, g + 1, count(*) FROM {SERIES} GROUP BY CUBE (1, 2)",
    "count distinct": f"SELECT count(DISTINCT g) FROM {SERIES}",
    "count distinct texts": f"SELECT count(DISTINCT md5(g::text)) FROM {SERIES}",
    "distinct in groups": f"SELECT g % 1000, count(DISTINCT g) FROM {SERIES} GROUP BY 1",
    "array_agg": f"SELECT array_agg(g) FROM {SERIES}",
    "array_agg of texts": f"SELECT array_agg(md5(g::text)) FROM {SERIES}",
    "array_agg of arrays": f"SELECT array_agg(ARRAY[g, g]) FROM {SERIES}",
    "array_agg ordered": f"SELECT array_agg(g ORDER BY g DESC) FROM {SERIES}",
    "array_agg distinct": f"SELECT array_agg(DISTINCT g::text) FROM {SERIES}",
    "array_agg of groups": f"SELECT g % 100000, array_agg(g) FROM {SERIES} GROUP BY 1",
    "array_agg ordered in groups": f"SELECT g % 1000, array_agg(g::text ORDER BY g DESC) FROM {SERIES} GROUP BY 1",
    "string_agg": f"SELECT string_agg(md5(g::text), ',') FROM {SERIES}",
    "string_agg ordered": f"SELECT string_agg(md5(g::text), ',' ORDER BY g DESC) FROM {SERIES}",
    "string_agg distinct": f"SELECT string_agg(DISTINCT g::text, ',') FROM {SERIES}",
    "string_agg of large texts": "SELECT length(string_agg(repeat('x', 1000000), ',')) FROM generate_series(1, 1000000)",
    "string_agg of bytes": f"SELECT string_agg(decode(md5(g::text), 'hex'), '') FROM {SERIES}",
    "json_agg": f"SELECT json_agg(g) FROM {SERIES}",
    "jsonb_agg": f"SELECT jsonb_agg(g) FROM {SERIES}",
    "jsonb_agg of objects": f"SELECT jsonb_agg(jsonb_build_object('a', g, 'b', md5(g::text))) FROM {SERIES}",
    "json_object_agg": f"SELECT json_object_agg(g, md5(g::text)) FROM {SERIES}",
    "jsonb_object_agg": f"SELECT jsonb_object_agg(g, md5(g::text)) FROM {SERIES}",
    "json of rows": f"SELECT json_agg(r) FROM (SELECT g, md5(g::text) AS t FROM {SERIES}) r",
    "array_agg of documents": f"SELECT array_length(array_agg(row_to_json(r)), 1) FROM (SELECT g AS a, g AS b FROM {SERIES}) r",
    "percentile_cont": f"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY g) FROM {SERIES}",
    "percentile_disc": f"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY md5(g::text)) FROM {SERIES}",
    "percentiles": f"SELECT percentile_cont(ARRAY[0.1, 0.5]) WITHIN GROUP (ORDER BY g) FROM {SERIES}",
    "mode": f"SELECT mode() WITHIN GROUP (ORDER BY g::text) FROM {SERIES}",
    "hypothetical rank": f"SELECT rank(5) WITHIN GROUP (ORDER BY g) FROM {SERIES}",
    "window": f"SELECT sum(g) OVER (ORDER BY g DESC) FROM {SERIES}",
    "windows": f"SELECT sum(g) OVER (ORDER BY g DESC), row_number() OVER (PARTITION BY g % 7), lag(g) OVER (ORDER BY -g) FROM {SERIES}",
    "window over texts": f"SELECT first_value(t) OVER (PARTITION BY t ORDER BY t) FROM (SELECT md5(g::text) AS t FROM {SERIES}) x",
    "arrays of frames": "SELECT array_agg(g) OVER (ORDER BY g) FROM generate_series(1, 100000) g",
    "texts of frames": "SELECT string_agg(g::text, ',') OVER (ORDER BY g) FROM generate_series(1, 100000) g",
    "with query": f"WITH x AS MATERIALIZED (SELECT g FROM {SERIES}) SELECT count(*) FROM x a, x b",
    "with query of texts": f"WITH x AS MATERIALIZED (SELECT md5(g::text) AS t FROM {SERIES}) SELECT count(*) FROM x a, x b",
    "recursion": "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "recursion that doubles": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + x FROM r, generate_series(1, 2) x) SELECT count(*) FROM r",
    "recursion of growing texts": "WITH RECURSIVE r AS (SELECT 'x'::text AS t UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r",
    "recursion of paths": "WITH RECURSIVE r AS (SELECT 1 AS n, ARRAY[1] AS p UNION ALL SELECT n + 1, p || n FROM r) SELECT count(p) FROM (SELECT p FROM r ORDER BY n DESC) x",
    "union": f"SELECT g FROM {SERIES} UNION SELECT 5",
    "intersect": f"SELECT g FROM {SERIES} INTERSECT SELECT 5",
    "except": f"SELECT g FROM {SERIES} EXCEPT SELECT 1",
    "except all": f"SELECT g::text FROM {SERIES} EXCEPT ALL SELECT '1'",
    "in a subquery": f"SELECT 5 IN (SELECT g FROM {SERIES})",
    "not in a subquery": f"SELECT x NOT IN (SELECT g::text FROM {SERIES}) FROM (VALUES ('a'), ('b')) v(x)",
    "array of a subquery": f"SELECT ARRAY(SELECT g FROM {SERIES})",
    "array of a subquery of texts": f"SELECT cardinality(ARRAY(SELECT md5(g::text) FROM {SERIES}))",
    "remembered subqueries": "SELECT count((SELECT repeat('x', 100000) || g)) FROM generate_series(1, 100000) g",
    "repeat": "SELECT length(repeat('x', 1000000000))",
    "repeats": "SELECT length(repeat('x', 10000000)) + g FROM generate_series(1, 1000) g",
    "repeat of repeat": "SELECT length(repeat(repeat('x', 10000), 100000))",
    "lpad": "SELECT length(lpad('x', 200000000, 'y'))",
    "rpad": "SELECT length(rpad('x', 200000000, 'y'))",
    "concatenation": "SELECT length(a || a || a || a || a || a || a || a || a || a) FROM (SELECT repeat('x', 20000000) AS a) x",
    "concat": "SELECT length(concat(a, a, a, a, a, a, a, a, a, a)) FROM (SELECT repeat('x', 20000000) AS a) x",
    "concat_ws": "SELECT length(concat_ws(a, a, a, a, a, a, a, a, a, a, a)) FROM (SELECT repeat('x', 20000000) AS a) x",
    "format": "SELECT length(format('%s%s%s%s%s%s%s%s', a, a, a, a, a, a, a, a)) FROM (SELECT repeat('x', 20000000) AS a) x",
    "format's width": "SELECT length(format('%1000000000s', 'x'))",
    "replace": "SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 1000)))",
    "regexp_replace": "SELECT length(regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000), 'g'))",
    "regexp_replace that grows": "SELECT length(regexp_replace(repeat('x', 10000000), '(x)', '\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1', 'g'))",
    "regexp_matches": "SELECT count(*) FROM regexp_matches(repeat('x', 20000000), 'x', 'g')",
    "regexp_split_to_array": "SELECT cardinality(regexp_split_to_array(repeat('x,', 10000000), ','))",
    "regexp_split_to_table": "SELECT count(*) FROM regexp_split_to_table(repeat('x,', 10000000), ',')",
    "string_to_array": "SELECT cardinality(string_to_array(repeat('x,', 10000000), ','))",
    "string_to_table": "SELECT count(*) FROM string_to_table(repeat('x,', 10000000), ',')",
    "translate": "SELECT length(translate(repeat('x', 50000000), 'x', 'é'))",
    "upper": "SELECT length(upper(repeat('x', 50000000)))",
    "reverse": "SELECT length(reverse(repeat('x', 50000000)))",
    "quote_literal": "SELECT length(quote_literal(repeat('''', 50000000)))",
    "encode": "SELECT length(encode(repeat('x', 30000000)::bytea, 'hex'))",
    "encode escape": "SELECT length(encode(decode(repeat('00', 20000000), 'hex'), 'escape'))",
    "convert_to": "SELECT length(convert_to(repeat('x', 60000000), 'UTF8'))",
    "to_json": "SELECT length(to_json(repeat(chr(1), 20000000))::text)",
    "to_jsonb": "SELECT length(to_jsonb(repeat(chr(1), 20000000))::text)",
    "json of an array": "SELECT length(to_json(array_fill(1, ARRAY[5000000]))::text)",
    "text to jsonb": "SELECT jsonb_array_length(('[' || repeat('1,', 10000000) || '1]')::jsonb)",
    "jsonb_pretty": "SELECT length(jsonb_pretty(('[' || repeat('[1],', 3000000) || '1]')::jsonb))",
    "jsonb nested deeply": "SELECT length((repeat('[', 5000) || repeat(']', 5000))::jsonb::text)",
    "json_array_elements": "SELECT count(*) FROM json_array_elements(('[' || repeat('1,', 10000000) || '1]')::json)",
    "array_fill": "SELECT array_fill(0, ARRAY[100000000])",
    "array_fill of texts": "SELECT cardinality(array_fill(repeat('x', 1000), ARRAY[10000000]))",
    "array concatenation": "SELECT cardinality(a || a || a || a || a || a || a || a) FROM (SELECT array_fill(1, ARRAY[1000000]) AS a) x",
    "array to text": "SELECT length(array_fill(1234567, ARRAY[3000000])::text)",
    "text to array": "SELECT cardinality(('{' || repeat('1,', 10000000) || '1}')::int[])",
    "array_to_string": "SELECT length(array_to_string(array_fill(1234567, ARRAY[2000000]), repeat(',', 100)))",
    "unnest": "SELECT count(*) FROM unnest(array_fill(1, ARRAY[3000000]), array_fill(1, ARRAY[3000000])) u",
    "array_remove": "SELECT cardinality(array_remove(array_fill(1, ARRAY[3000000]), 2))",
    "generate_series in the select list": "SELECT count(*) FROM (SELECT generate_series(1, 1000000), repeat('x', 1000)) x",
    "numeric power": "SELECT length((10::numeric ^ 100000)::text)",
    "numeric factorial": "SELECT length(factorial(20000)::text)",
    "numeric digits": "SELECT count(repeat('9', 60000)::numeric * repeat('9', 60000)::numeric) FROM generate_series(1, 10)",
    "numerics of many digits": "SELECT array_agg(repeat('9', 100000)::numeric + g) FROM generate_series(1, 100000) g",
    "bits": "SELECT length(repeat('1', 80000000)::varbit)",
    "large texts in a batch": "SELECT length(repeat('x', 1000000 + g)) FROM generate_series(1, 1000) g",
    "large texts one by one": "SELECT count(x) FROM (SELECT repeat('x', 10000000 + g) AS x FROM generate_series(1, 100) g OFFSET 0) y",
    "large texts in case": "SELECT count(CASE WHEN g > 5 THEN repeat('x', 1000000) ELSE repeat('y', 1000000) END) FROM generate_series(1, 2000) g",
    "md5 of a large text": "SELECT length(md5(repeat('x', 100000000)))",
    "row of many": "SELECT count(ROW(a, a, a)::text) FROM (SELECT repeat('x', 20000000) AS a FROM generate_series(1, 4)) x",
    "insert": f"INSERT INTO t SELECT g, 'x' FROM {SERIES}",
    "insert of texts": f"INSERT INTO t SELECT g, md5(g::text) FROM {SERIES}",
    "insert with a key": f"INSERT INTO keyed SELECT g, g::text FROM {SERIES}",
    "insert returning": f"INSERT INTO t SELECT g, 'x' FROM {SERIES} RETURNING a",
    "insert on conflict": f"INSERT INTO keyed SELECT g, g::text FROM {SERIES} ON CONFLICT DO NOTHING",
    "create table as": f"CREATE TABLE large AS SELECT g FROM {SERIES}",
    "temporary table": f"CREATE TEMP TABLE large AS SELECT g, md5(g::text) FROM {SERIES}",
    "materialised view": f"CREATE MATERIALIZED VIEW large AS SELECT g FROM {SERIES}",
    "held cursor": f"DECLARE c CURSOR WITH HOLD FOR SELECT g, md5(g::text) FROM {SERIES}",
    "explain analyze": f"EXPLAIN ANALYZE SELECT g FROM {SERIES} ORDER BY g",
}


@unittest.skipUnless(BINARY, "it starts a server of ours")
class HostileMemory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ConfiguredServer(f"[resource_quotas]\nmemory_limit = {LIMIT}\n").start()
        cls.witness = cls.server.connect("witness")
        cls.witness.execute("CREATE TABLE t (a int, b text)")
        cls.witness.execute("CREATE TABLE keyed (a int PRIMARY KEY, b text UNIQUE)")

    @classmethod
    def tearDownClass(cls):
        cls.witness.close()
        cls.server.stop()

    def setUp(self):
        self.peaks = []
        self.begin_peak()

    def begin_peak(self):
        """VmHWM begins anew."""
        pathlib.Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")

    def peak(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def assert_unharmed(self, what):
        """The peak is within bounds, and a session that has been there all the time has room for its own work."""
        peak = self.peak()
        self.begin_peak()
        self.assertEqual(self.witness.execute("SELECT count(*) FROM (SELECT g FROM generate_series(1, 2000) g ORDER BY -g) x").fetchone(),
                         (2000,))
        self.assertLessEqual(peak, ALLOWED, f"{what}: {peak / MB:.0f} MB")

    def session(self, user="hostile"):
        db = self.server.connect(user)
        self.addCleanup(db.close)
        db.prepare_threshold = None
        db.execute("SET statement_timeout = '60s'")
        return db

    def test_statements(self):
        db = self.session()
        only = os.environ.get("ONLY")
        for name, sql in STATEMENTS.items():
            if only and only not in name:
                continue
            with self.subTest(name):
                self.begin_peak()
                started = time.monotonic()
                try:
                    db.execute(sql)
                    result = "succeeds"
                except psycopg.errors.OutOfMemory:
                    result = "53200"
                except psycopg.errors.ProgramLimitExceeded:
                    result = "54000"
                if os.environ.get("SHOW_PEAKS"):
                    print(f"{self.peak() / MB:6.0f} MB {time.monotonic() - started:6.2f} s  {result:9} {name}", flush=True)
                self.assert_unharmed(name)


    def run_until_refused(self, what, steps):
        """Runs the steps until one is refused with 53200, which may be never; then the server is unharmed."""
        refused = False
        try:
            for step in steps:
                step()
        except psycopg.errors.OutOfMemory:
            refused = True
        except psycopg.OperationalError as error:
            # A message too large for what is left costs the connection.
            self.assertEqual(error.sqlstate or "53200", "53200", error)
            refused = True
        if os.environ.get("SHOW_PEAKS"):
            print(f"{self.peak() / MB:6.0f} MB  {'53200' if refused else 'succeeds':9} {what}", flush=True)
        self.assert_unharmed(what)
        return refused

    def test_long_texts(self):
        for name, sql in {
            "a large literal": "SELECT length('" + "x" * (20 * MB) + "')",
            "a list of constants": "SELECT 1 IN (" + ",".join(map(str, range(400_000))) + ")",
            "many columns": "SELECT " + ",".join(["1"] * 1600),
            "many rows": "INSERT INTO t VALUES " + ",".join(["(1,'x')"] * 200_000),
            "a long expression": "SELECT " + "+".join(["1"] * 1500),
            "a large array literal": "SELECT cardinality('{" + "1," * 3_000_000 + "1}'::int[])",
            "a large document": "SELECT length(('[" + "1," * 3_000_000 + "1]')::jsonb::text)",
            "many statements": "SELECT 1;" * 100_000,
        }.items():
            with self.subTest(name):
                db = self.session()
                self.run_until_refused(name, [lambda: db.execute(sql)])
                db.close()
                self.begin_peak()

    def test_parameters(self):
        db = self.session()
        self.run_until_refused("a large parameter", [lambda: db.execute("SELECT length(%s)", ["x" * (60 * MB)])])
        db = self.session()
        self.run_until_refused("an array parameter", [lambda: db.execute("SELECT cardinality(%s::int[])", [list(range(1_000_000))])])

    def test_prepared_statements(self):
        db = self.session()
        text = "SELECT " + ", ".join(f"a + {number}" for number in range(500)) + " FROM t WHERE b = $1 -- "
        self.assertTrue(self.run_until_refused("prepared statements", (
            lambda number=number: db.execute(f"PREPARE p{number} (text) AS {text}{number}") for number in range(20_000))))
        db.execute("DEALLOCATE ALL")
        db.execute("SELECT 1")

    def test_statements_by_protocol(self):
        with Raw(self.server.port) as raw:
            raw.start_up("hostile")
            raw.until_ready()
            text = ("SELECT " + ", ".join(f"a + {number}" for number in range(500)) + " FROM t").encode()

            def parse(number):
                raw.send(b"P", b"s%d\0" % number + text + b"-- %d" % number + b"\0\0\0")
                raw.send(b"S")
                kind, body = raw.message()
                raw.until_ready()
                if kind == b"E":
                    self.assertIn(b"53200", body)
                    raise psycopg.errors.OutOfMemory

            self.assertTrue(self.run_until_refused("statements by protocol", (lambda number=number: parse(number) for number in range(20_000))))

    def test_portals(self):
        with Raw(self.server.port) as raw:
            raw.start_up("hostile")
            raw.until_ready()

            def bind(number):
                raw.send(b"P", b"\0SELECT $1::text, g FROM generate_series(1, 1000) g ORDER BY g\0\0\0")
                parameter = b"x" * 100_000
                raw.send(b"B", b"c%d\0\0\0\0" % number + struct.pack("!hi", 1, len(parameter)) + parameter + b"\0\0")
                raw.send(b"E", b"c%d\0" % number + struct.pack("!i", 1))
                raw.send(b"H")
                while True:
                    kind, body = raw.message()
                    if kind == b"E":
                        self.assertIn(b"53200", body)
                        raise psycopg.errors.OutOfMemory
                    if kind in (b"s", b"C"):
                        return

            self.assertTrue(self.run_until_refused("portals", (lambda number=number: bind(number) for number in range(20_000))))

    def test_cursors(self):
        db = self.session()
        db.execute("BEGIN")

        def declare(number):
            db.execute(f"DECLARE c{number} CURSOR FOR SELECT g, md5(g::text) FROM generate_series(1, 5000) g ORDER BY 2")
            db.execute(f"FETCH 1 FROM c{number}")

        self.assertTrue(self.run_until_refused("cursors", (lambda number=number: declare(number) for number in range(2000))))
        db.execute("ROLLBACK")
        self.assertTrue(self.run_until_refused("held cursors", (
            lambda number=number: db.execute(f"DECLARE h{number} CURSOR WITH HOLD FOR SELECT md5(g::text) FROM generate_series(1, 5000) g")
            for number in range(2000))))
        db.execute("CLOSE ALL")

    def test_savepoints(self):
        db = self.session()
        db.execute("BEGIN")

        def step(number):
            db.execute(f"SAVEPOINT s{number}")
            db.execute(f"INSERT INTO t SELECT {number}, repeat('x', 20000)")

        self.assertTrue(self.run_until_refused("savepoints", (lambda number=number: step(number) for number in range(20_000))))
        db.execute("ROLLBACK")

    def test_a_huge_transaction(self):
        db = self.session()
        db.execute("BEGIN")
        self.assertTrue(self.run_until_refused("a transaction of many statements", (
            lambda: db.execute("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 1000) g") for _ in range(5000))))
        db.execute("ROLLBACK")
        db.execute("BEGIN")
        self.run_until_refused("updates of the same rows", [
            lambda: db.execute("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g"),
            *[lambda: db.execute("UPDATE t SET b = md5(b)")] * 40])
        db.execute("ROLLBACK")

    def test_old_versions(self):
        """What a snapshot keeps alive counts for the server."""
        writer, reader = self.session("writer"), self.session("reader")
        writer.execute("CREATE TABLE versions AS SELECT g AS a, repeat('x', 1000) AS b FROM generate_series(1, 10000) g")
        self.addCleanup(lambda: self.witness.execute("DROP TABLE versions"))
        readers = []

        def step(number):
            db = self.session("reader")
            readers.append(db)
            db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            db.execute("SELECT count(*) FROM versions")
            writer.execute(f"UPDATE versions SET b = repeat('{number % 10}', 1000)")

        self.assertTrue(self.run_until_refused("old versions", (lambda number=number: step(number) for number in range(90))))
        for db in readers:
            db.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                writer.execute("UPDATE versions SET b = 'y'")
                break
            except psycopg.errors.OutOfMemory:
                self.assertLess(time.monotonic(), deadline, "the old versions have not gone")
                time.sleep(0.1)

    def test_notifications(self):
        db, listener = self.session(), self.session("listener")
        listener.execute("LISTEN c")
        listener.execute("BEGIN")
        db.execute("BEGIN")

        def notify():
            for start in range(0, 1_000_000, 1000):
                db.execute(f"SELECT pg_notify('c', repeat('x', 7900) || g) FROM generate_series({start}, {start + 999}) g")

        self.assertTrue(self.run_until_refused("notifications", [notify]))
        db.execute("ROLLBACK")

    def test_advisory_locks(self):
        db = self.session()
        self.assertTrue(self.run_until_refused("advisory locks", (
            lambda number=number: db.execute(f"SELECT count(pg_advisory_lock(g)) FROM generate_series({number * 100_000}, {number * 100_000 + 99_999}) g")
            for number in range(100))))
        db.execute("SELECT pg_advisory_unlock_all()")

    def test_a_large_catalog(self):
        db = self.session()
        db.execute("BEGIN")

        def create(number):
            db.execute(";".join(f"CREATE TABLE many_{number}_{part} (a int PRIMARY KEY, b text, c numeric DEFAULT 0, d date)" for part in range(100)))

        self.run_until_refused("tables in a transaction", (lambda number=number: create(number) for number in range(int(os.environ.get("TABLES", "50")))))
        db.execute("ROLLBACK")

    def test_temporary_tables(self):
        db = self.session()
        self.assertTrue(self.run_until_refused("temporary tables", (
            lambda number=number: db.execute(f"CREATE TEMP TABLE x{number} AS SELECT md5(g::text) FROM generate_series(1, 5000) g")
            for number in range(2000))))

    def test_settings(self):
        db = self.session()
        self.run_until_refused("settings", (
            lambda number=number: db.execute("SELECT set_config(%s, %s, false)", [f"my.s{number}", "x" * 100_000]) for number in range(3000)))

    def test_copy_in(self):
        db = self.session()

        def copy(lines):
            with db.cursor().copy("COPY t FROM STDIN") as copy:
                for line in lines:
                    copy.write(line)

        self.assertTrue(self.run_until_refused("COPY of short lines", [lambda: copy("1\txxxxxxxxxxxxxxxx\n" * 1000 for _ in range(5000))]))
        self.assertTrue(self.run_until_refused("COPY of long lines", [lambda: copy("1\t" + "x" * MB + "\n" for _ in range(500))]))
        self.assertTrue(self.run_until_refused("COPY of one line", [lambda: copy("x" * MB for _ in range(500))]))
        self.assertEqual(self.witness.execute("SELECT count(*) FROM t").fetchone(), (0,))

    def test_copy_out_of_a_client_that_does_not_read(self):
        self.unread(b"COPY (SELECT g, md5(g::text) FROM generate_series(1, 100000000) g) TO STDOUT")

    def test_a_result_that_the_client_does_not_read(self):
        self.unread(b"SELECT g, repeat('x', 1000) FROM generate_series(1, 100000000) g")
        self.unread(b"SELECT repeat('x', 1000000 + g) FROM generate_series(1, 1000) g")

    def unread(self, sql):
        with Raw(self.server.port) as raw:
            raw.start_up("hostile")
            raw.until_ready()
            raw.send(b"Q", sql + b"\0")
            time.sleep(2)
            self.assert_unharmed(sql)

    def test_statements_sent_without_reading_answers(self):
        with Raw(self.server.port) as raw:
            raw.start_up("hostile")
            raw.until_ready()
            raw.socket.settimeout(2)
            try:
                for _ in range(300):
                    raw.send(b"Q", b"SELECT repeat('x', 1000000)\0")
            except (TimeoutError, ConnectionError):
                pass
            self.assert_unharmed("a pipeline that nobody reads")

    def test_many_sessions_at_once(self):
        """Each wants a fair part; together they want more than there is."""
        outcomes = []

        def work(number):
            with self.server.connect(f"hostile{number}") as db:
                try:
                    db.execute("SELECT count(*) FROM (SELECT md5(g::text) AS t FROM generate_series(1, 100000) g ORDER BY 1) x")
                    outcomes.append("done")
                except psycopg.errors.OutOfMemory:
                    outcomes.append("53200")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        [thread.start() for thread in threads]
        [thread.join(120) for thread in threads]
        self.assertEqual(len(outcomes), 10, outcomes)
        self.assertIn("done", outcomes)
        self.assert_unharmed("many sessions")

    def test_a_delete_finds_room(self):
        """Rows that fill their owner's quota can be deleted, if need be in parts; TRUNCATE needs no room."""
        with ConfiguredServer("[resource_quotas]\nmemory_limit_per_user = 25165824\n") as server, server.connect("alice") as db:
            db.execute("CREATE TABLE full_table (a int, b text)")
            with self.assertRaises(psycopg.errors.OutOfMemory):
                while True:
                    db.execute("INSERT INTO full_table SELECT g, md5(g::text) FROM generate_series(1, 2000) g")
            rows = db.execute("SELECT count(*) FROM full_table").fetchone()[0]
            self.assertEqual(db.execute("DELETE FROM full_table WHERE a <= 200").rowcount, rows // 10)
            try:
                db.execute("DELETE FROM full_table")
            except psycopg.errors.OutOfMemory as refused:
                self.assertIn("TRUNCATE", refused.diag.message_hint)
                db.execute("TRUNCATE full_table")
            db.execute("INSERT INTO full_table SELECT g, md5(g::text) FROM generate_series(1, 2000) g")


if __name__ == "__main__":
    unittest.main()
