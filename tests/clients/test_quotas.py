"""Memory quotas, what monitoring tells, and the guide's queries about them, on a server of the test's own."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import psycopg

BINARY = os.environ.get("HELIOSDB_NANO")
MB = 1 << 20
PER_USER = 24 * MB
SERVER = 128 * MB

HOSTILE = {
    "sort": "SELECT g FROM generate_series(1, 1000000000) g ORDER BY g DESC",
    "sort of texts": "SELECT g::text || 'x' FROM generate_series(1, 1000000000) g ORDER BY 1",
    "hash join": "SELECT count(*) FROM generate_series(1, 1000000000) a JOIN generate_series(1, 1000000000) b ON a = b",
    "cross join": "SELECT count(*) FROM generate_series(1, 10) a, generate_series(1, 1000000000) b",
    "lateral join": "SELECT count(*) FROM (VALUES (1), (2)) a(x), LATERAL (SELECT g + x AS y FROM generate_series(1, 1000000000) g) b",
    "distinct": "SELECT DISTINCT g FROM generate_series(1, 1000000000) g",
    "groups": "SELECT g::text, count(*) FROM generate_series(1, 1000000000) g GROUP BY 1",
    "array_agg": "SELECT array_agg(g) FROM generate_series(1, 1000000000) g",
    "array_agg of large texts": "SELECT array_agg(repeat('x', 1000000000)) FROM generate_series(1, 10)",
    "string_agg of large texts": "SELECT length(string_agg(repeat('x', 1000000), ',')) FROM generate_series(1, 1000000)",
    "jsonb_agg": "SELECT jsonb_agg(g) FROM generate_series(1, 1000000000) g",
    "percentile": "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 1000000000) g",
    "distinct aggregate": "SELECT count(DISTINCT g::text) FROM generate_series(1, 1000000000) g",
    "ordered aggregate": "SELECT string_agg(g::text, '' ORDER BY g DESC) FROM generate_series(1, 1000000000) g",
    "window": "SELECT sum(g) OVER (ORDER BY g DESC) FROM generate_series(1, 1000000000) g",
    "arrays of frames": "SELECT array_agg(g) OVER (ORDER BY g) FROM generate_series(1, 10000) g",
    "with query": "WITH x AS MATERIALIZED (SELECT g FROM generate_series(1, 1000000000) g) SELECT count(*) FROM x a, x b",
    "recursion": "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "except": "SELECT g FROM generate_series(1, 1000000000) g EXCEPT SELECT 1",
    "subquery": "SELECT 5 IN (SELECT g FROM generate_series(1, 1000000000) g)",
    "array of a subquery": "SELECT ARRAY(SELECT g FROM generate_series(1, 1000000000) g)",
    "repeat": "SELECT length(repeat('x', 1000000000))",
    "lpad": "SELECT length(lpad('x', 200000000, 'y'))",
    "array_fill": "SELECT array_fill(0, ARRAY[100000000])",
    "large texts in a batch": "SELECT length(repeat('x', 1000000 + g)) FROM generate_series(1, 1000) g",
    "insert": "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1000000000) g",
    "insert returning": "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1000000000) g RETURNING a",
    "create table as": "CREATE TABLE large AS SELECT g FROM generate_series(1, 1000000000) g",
}


class ServerOfItsOwn(unittest.TestCase):
    CONFIGURATION = ""
    ARGUMENTS = []

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(cls.directory.name) / "config.toml"
        path.write_text(cls.CONFIGURATION)
        cls.log = pathlib.Path(cls.directory.name) / "log"
        with cls.log.open("w") as log:
            cls.process = subprocess.Popen([BINARY, "start", "--memory", "--port", "0", "--config", path, *cls.ARGUMENTS],
                                           stdout=subprocess.PIPE, stderr=log, text=True)
        for line in cls.process.stdout:
            if found := re.search(r"postgresql://[^@]+@[^/]*:(\d+)/", line):
                cls.port = int(found.group(1))
                break

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(10)
        cls.process.stdout.close()
        cls.directory.cleanup()

    def connect(self, user="alice", **options):
        db = psycopg.connect(host="127.0.0.1", port=self.port, user=user, dbname="heliosdb", autocommit=True, **options)
        db.prepare_threshold = None
        self.addCleanup(db.close)
        return db

    def errors(self):
        """What the server has logged."""
        return self.log.read_text()

    def status(self, name):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Quotas(ServerOfItsOwn):
    CONFIGURATION = f"""
[resource_quotas]
memory_limit_per_user = {PER_USER}
memory_limit = {SERVER}
connection_limit_per_user = 10
transaction_timeout_secs = 300
lock_timeout_ms = 30000
"""

    def setUp(self):
        self.db = self.connect()
        # VmHWM begins anew.
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        self.addCleanup(lambda: self.assertLess(self.status("VmHWM"), SERVER * 11 // 10))
        self.db.execute("DROP TABLE IF EXISTS t")
        self.db.execute("CREATE TABLE t (a int, b text)")

    def memory(self, db):
        return db.execute("SELECT pg_session_memory_usage(pg_backend_pid())").fetchone()[0]

    def test_hostile_statements_get_an_error_and_the_session_lives(self):
        before = self.memory(self.db)
        bob = self.connect("bob")
        for name, sql in HOSTILE.items():
            with self.subTest(name):
                with self.assertRaises(psycopg.errors.OutOfMemory) as caught:
                    self.db.execute(sql)
                self.assertIn("memory limit exceeded for user 'alice'", str(caught.exception))
                self.assertEqual(self.db.execute("SELECT count(*) FROM t").fetchone()[0], 0)
                self.assertEqual(bob.execute("SELECT count(*) FROM (SELECT g FROM generate_series(1, 50000) g ORDER BY g DESC) x").fetchone()[0], 50000)
                self.assertLess(self.memory(self.db), before + 65536)
                peak = self.status("VmHWM")
                pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
                self.assertLess(peak, SERVER * 11 // 10)

    def test_a_transaction_stays_consistent(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO t VALUES (1, 'x')")
        self.db.execute("SAVEPOINT s")
        with self.assertRaises(psycopg.errors.OutOfMemory):
            self.db.execute(HOSTILE["insert"])
        self.db.execute("ROLLBACK TO s")
        self.db.execute("INSERT INTO t VALUES (2, 'y')")
        self.db.execute("COMMIT")
        self.assertEqual(self.db.execute("SELECT a FROM t ORDER BY a").fetchall(), [(1,), (2,)])

    def test_a_transaction_in_parts(self):
        self.db.execute("BEGIN")
        with self.assertRaises(psycopg.errors.OutOfMemory):
            for part in range(1000):
                self.db.execute("INSERT INTO t SELECT g, md5(g::text) || md5(g::text) FROM generate_series(1, 10000) g")
        self.assertGreater(part, 3)
        self.db.execute("ROLLBACK")
        self.db.execute("INSERT INTO t SELECT g, md5(g::text) || md5(g::text) FROM generate_series(1, 10000) g")

    def test_tables_count_for_their_owner(self):
        with self.assertRaises(psycopg.errors.OutOfMemory):
            for part in range(1000):
                self.db.execute("INSERT INTO t SELECT g, md5(g::text) || md5(g::text) FROM generate_series(1, 20000) g")
        size = self.db.execute("SELECT pg_relation_size('t')").fetchone()[0]
        self.assertGreater(size, PER_USER // 2)
        # Others may not fill her tables either, but have room of their own.
        bob = self.connect("bob")
        with self.assertRaises(psycopg.errors.OutOfMemory) as caught:
            bob.execute("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 100000) g")
        self.assertIn("'alice'", str(caught.exception))
        bob.execute("CREATE TABLE of_bob AS SELECT g FROM generate_series(1, 10000) g")
        bob.execute("DROP TABLE of_bob")
        self.db.execute("TRUNCATE t")
        self.db.execute("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g")

    def test_copy(self):
        with self.assertRaises(psycopg.errors.OutOfMemory):
            with self.db.cursor().copy("COPY t FROM STDIN") as copy:
                for _ in range(100_000):
                    copy.write("1\t" + "x" * 2000 + "\n")
        with self.assertRaises(psycopg.errors.OutOfMemory):
            with self.db.cursor().copy("COPY t FROM STDIN") as copy:
                for _ in range(100):
                    copy.write("x" * MB)
        self.assertEqual(self.db.execute("SELECT count(*) FROM t").fetchone()[0], 0)

    def test_cursors_and_prepared_statements(self):
        before = self.memory(self.db)
        self.db.execute("BEGIN")
        with self.assertRaises(psycopg.errors.OutOfMemory):
            self.db.execute("DECLARE c CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 1000000000) g")
        self.db.execute("ROLLBACK")
        self.db.execute("PREPARE p AS SELECT " + ", ".join(str(number) for number in range(1000)))
        self.assertGreater(self.memory(self.db), before + 4000)
        self.db.execute("DEALLOCATE p")
        self.assertLess(self.memory(self.db), before + 4000)

    def test_a_large_parameter(self):
        with self.assertRaises((psycopg.errors.OutOfMemory, psycopg.OperationalError)):
            self.connect("carol").execute("SELECT length(%s)", ["x" * (100 * MB)])
        self.assertEqual(self.connect("carol").execute("SELECT length(%s)", ["x" * MB]).fetchone()[0], MB)

    def test_the_server_as_a_whole(self):
        holders = []
        with self.assertRaises(psycopg.errors.OutOfMemory) as caught:
            for number in range(10):
                db = self.connect(f"user{number}")
                db.execute("BEGIN")
                holders.append(db)
                db.execute("CREATE TEMP TABLE held AS SELECT g, md5(g::text) || md5(g::text) AS x FROM generate_series(1, 80000) g")
        self.assertIn("cannot allocate memory for transaction", str(caught.exception))

    def test_a_session_s_memory_moves_with_its_transaction(self):
        other = self.connect("bob")
        pid = self.db.info.backend_pid
        usage = lambda: other.execute("SELECT pg_session_memory_usage(%s)", [pid]).fetchone()[0]
        before = usage()
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 5000) g")
        grown = usage()
        # The rows, and their place in the table.
        self.assertGreater(grown - before, 5_000_000)
        self.assertLess(grown - before, 20_000_000)
        self.db.execute("COMMIT")
        self.assertLess(usage() - before, 20_000)
        self.assertIsNone(other.execute("SELECT pg_session_memory_usage(999999)").fetchone()[0])

    def test_the_guide_s_queries(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 2000) g")
        admin = self.connect("root")
        usage = {row[0]: row[1:] for row in admin.execute(
            "SELECT usename, COUNT(*) as connections, SUM(pg_session_memory_usage(pid)) as total_memory_bytes "
            "FROM pg_stat_activity GROUP BY usename").fetchall()}
        self.assertGreater(usage["alice"][1], 3 << 20)
        self.assertEqual(usage["root"][0], 1)
        self.assertEqual(admin.execute(
            "SELECT pid, usename, state, pg_session_memory_usage(pid) / 1024 / 1024 as memory_mb "
            "FROM pg_stat_activity WHERE pg_session_memory_usage(pid) > 1073741824").fetchall(), [])
        rows = admin.execute("SELECT pid, usename, state, pg_session_memory_usage(pid) / 1024 / 1024 as memory_mb "
                             "FROM pg_stat_activity WHERE pg_session_memory_usage(pid) > 1000000").fetchall()
        self.assertEqual([row[:3] for row in rows], [(self.db.info.backend_pid, "alice", "idle in transaction")])
        self.assertGreaterEqual(rows[0][3], 3)


if __name__ == "__main__":
    unittest.main()
