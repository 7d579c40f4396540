"""Statistics views, pg_stat_statements, /metrics, the log of slow statements and `status`, on a server of the test's own."""
import json
import pathlib
import re
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

import psycopg

from test_quotas import BINARY, ServerOfItsOwn


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Monitoring(ServerOfItsOwn):
    HTTP_PORT = free_port()
    ARGUMENTS = ["--http-port", str(HTTP_PORT)]
    CONFIGURATION = '[logging]\nslow_query_ms = 200\nformat = "json"\n[resource_quotas]\nmemory_limit = 4000000000\n'

    def setUp(self):
        self.db = self.connect("root")

    def row(self, sql, *parameters):
        return self.db.execute(sql, parameters).fetchone()

    def get(self, path, **options):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.HTTP_PORT}{path}", timeout=5, **options) as answer:
            return answer.read().decode()

    def test_tables_and_indexes(self):
        self.db.execute("CREATE TABLE counted (id int PRIMARY KEY, v int)")
        self.db.execute("INSERT INTO counted SELECT g, g FROM generate_series(1, 2000) g")
        self.db.execute("UPDATE counted SET v = 0 WHERE id <= 10")
        self.db.execute("DELETE FROM counted WHERE id = 2000")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO counted VALUES (5000, 1)")
        self.db.execute("ROLLBACK")
        before = self.row("SELECT seq_scan, seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE relname = 'counted'")
        self.assertEqual(self.row("SELECT count(*) FROM counted WHERE v >= 0")[0], 1999)
        self.assertEqual(self.row("SELECT v FROM counted WHERE id = 500")[0], 500)
        seq_scan, seq_rows, idx_scan, *changes = self.row(
            "SELECT seq_scan, seq_tup_read, idx_scan, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup FROM pg_stat_user_tables WHERE relname = 'counted'")
        # As in PostgreSQL, inserts that were rolled back count; live rows are exact.
        self.assertEqual(changes, [2001, 10, 1, 1999])
        self.assertEqual((seq_scan - before[0], seq_rows - before[1], idx_scan - before[2]), (1, 1999, 1))
        scans, read, fetched = self.row("SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 'counted_pkey'")
        self.assertEqual(scans, idx_scan)
        self.assertGreaterEqual(read, fetched)
        self.db.execute("TRUNCATE counted")
        self.assertEqual(self.row("SELECT n_tup_ins, n_live_tup FROM pg_stat_user_tables WHERE relname = 'counted'"), (2001, 0))
        self.db.execute("DROP TABLE counted")

    def test_databases(self):
        read = "SELECT xact_commit, xact_rollback, sessions, tup_inserted FROM pg_stat_database WHERE datname = 'heliosdb'"
        self.db.execute("CREATE TABLE IF NOT EXISTS d (a int)")
        before = self.row(read)
        self.db.execute("INSERT INTO d VALUES (1), (2)")
        self.db.execute("BEGIN")
        self.db.execute("ROLLBACK")
        with self.assertRaises(psycopg.Error):
            self.db.execute("SELECT 1 / 0")
        self.connect("somebody").close()
        after = self.row(read)
        self.assertEqual([new - old for new, old in zip(after, before)][1:], [2, 1, 2])
        # The query for `before` and the INSERT.
        self.assertEqual(after[0] - before[0], 2)

    def test_statements(self):
        self.db.execute("SELECT pg_stat_statements_reset()")
        for number in range(5):
            self.db.execute(f"SELECT {number} + 1 AS five_times")
        self.db.execute("CREATE TABLE IF NOT EXISTS s (a int, b text)")
        for number in range(3):
            self.db.execute("INSERT INTO s SELECT g, %s FROM generate_series(1, 10) g", [str(number)])
        with self.assertRaises(psycopg.Error):
            self.db.execute("SELECT 1 / 0 AS failing")
        rows = {row[0]: row[1:] for row in self.db.execute(
            "SELECT query, calls, rows, total_exec_time, mean_exec_time, min_exec_time, max_exec_time FROM pg_stat_statements "
            "JOIN pg_database ON pg_database.oid = dbid JOIN pg_roles ON pg_roles.oid = userid WHERE rolname = 'root' AND datname = 'heliosdb'")}
        [five] = [figures for text, figures in rows.items() if "five_times" in text]
        self.assertEqual(five[:2], (5, 5))
        [inserts] = [figures for text, figures in rows.items() if text.startswith("INSERT INTO s")]
        self.assertEqual(inserts[:2], (3, 30))
        _, _, total, mean, least, most = inserts
        self.assertTrue(0 < least <= mean <= most <= total, inserts)
        self.assertAlmostEqual(mean, total / 3)
        self.assertFalse(any("failing" in text for text in rows))

    def test_statements_of_others_are_not_told(self):
        self.db.execute("DROP ROLE IF EXISTS plain")
        self.db.execute("CREATE ROLE plain LOGIN")
        self.db.execute("SELECT 'secret' AS of_root")
        plain = self.connect("plain")
        texts = {row[0] for row in plain.execute("SELECT query FROM pg_stat_statements")}
        self.assertIn("<insufficient privilege>", texts)
        self.assertFalse(any("of_root" in text for text in texts))
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            plain.execute("SELECT pg_stat_statements_reset()")

    def test_metrics(self):
        self.db.execute("SELECT 1")
        with self.assertRaises(psycopg.Error):
            self.db.execute("SELECT * FROM nowhere")
        blocked = self.connect("somebody")
        blocked.execute("BEGIN")
        metrics = self.get("/metrics")
        figures = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
        self.assertGreaterEqual(int(figures['heliosdb_sessions{state="idle in transaction"}']), 1)
        self.assertGreaterEqual(int(figures['heliosdb_statements_total{class="select"}']), 1)
        self.assertGreaterEqual(int(figures['heliosdb_errors_total{class="42"}']), 1)
        self.assertGreaterEqual(int(figures['heliosdb_transactions_total{database="heliosdb",end="commit"}']), 1)
        self.assertEqual(figures["heliosdb_memory_limit_bytes"], "4000000000")
        self.assertGreater(int(figures["heliosdb_memory_bytes"]), 1_000_000)
        self.assertGreater(float(figures["heliosdb_uptime_seconds"]), 0)
        self.assertEqual(figures['heliosdb_statement_duration_seconds_bucket{le="+Inf"}'], figures["heliosdb_statement_duration_seconds_count"])
        # Every line is of the format.
        for line in metrics.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$')

    def test_health_and_bad_requests(self):
        self.assertEqual(json.loads(self.get("/health")), {"status": "ok"})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get("/elsewhere")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()
        with socket.create_connection(("127.0.0.1", self.HTTP_PORT), timeout=5) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000)
            self.assertIn(b"431", client.recv(100))
        with socket.create_connection(("127.0.0.1", self.HTTP_PORT), timeout=10) as client:
            client.sendall(b"GET /hea")
            # A client that says no more is let go.
            self.assertEqual(client.recv(100), b"")

    def test_slow_statements_are_logged(self):
        self.db.execute("SELECT pg_sleep(0.3), 'slow one'")
        self.db.execute("SELECT 'quick one'")
        log = self.errors()
        [line] = [json.loads(line) for line in log.splitlines() if "slow one" in line]
        self.assertEqual(line["user"], "root")
        self.assertGreaterEqual(line["duration_ms"], 300)
        self.assertEqual(line["rows"], 1)
        self.assertNotIn("quick one", log)

    def test_status(self):
        self.db.execute("CREATE TABLE IF NOT EXISTS dirty (a int)")
        self.db.execute("INSERT INTO dirty SELECT generate_series(1, 1234)")
        done = subprocess.run([BINARY, "status", "--host", "127.0.0.1", "--port", str(self.port), "--user", "root", "--dbname", "heliosdb"],
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"Up-time: \d\d:\d\d:\d\d\nSessions: \d+ \(\d+ active\)\nMemory: \d+ MB of 3814 MB\nDirty state: YES \(\d+ uncommitted changes\)\n")

    def test_explain_analyze_tells_memory(self):
        self.db.execute("CREATE TABLE IF NOT EXISTS t (a int)")
        def plan(sql):
            return "\n".join(row[0] for row in self.db.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}"))
        text = plan("SELECT g FROM generate_series(1, 100000) g ORDER BY g DESC")
        used = int(re.search(r"Sort Method: quicksort  Memory: (\d+)kB", text).group(1))
        self.assertTrue(400 <= used <= 5000, text)
        self.assertRegex(plan("SELECT g FROM generate_series(1, 1000) g ORDER BY g DESC LIMIT 3"), r"Sort Method: top-N heapsort  Memory: \d+kB")
        self.assertRegex(plan("SELECT g % 10, count(*) FROM generate_series(1, 1000) g GROUP BY 1"), r"Batches: 1  Memory Usage: \d+kB")
        self.assertRegex(plan("SELECT * FROM generate_series(1, 1000) a JOIN generate_series(1, 3000) b ON a = b"),
                         r"-> +Hash \(actual rows=\d+ loops=1\)\n +Buckets: (1024|4096)  Batches: 1  Memory Usage: \d+kB")
        rows = "generate_series(1, 5000) g"
        for node, sql in {
            "WindowAgg": f"SELECT sum(g) OVER (ORDER BY g) FROM {rows}",
            "HashSetOp Except": f"SELECT g FROM {rows} EXCEPT SELECT 1",
            "CTE Scan on x": f"WITH x AS MATERIALIZED (SELECT g FROM {rows}) SELECT count(*) FROM x a, x b WHERE a.g = b.g",
            "Recursive Union": "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r WHERE n < 3000) SELECT count(*) FROM r",
            "Nested Loop": f"SELECT count(*) FROM generate_series(1, 10) a JOIN {rows} ON a < g",
            "Insert on t": f"INSERT INTO t SELECT g FROM {rows}",
            "Update on t": "UPDATE t SET a = a + 1",
            "Delete on t": "DELETE FROM t",
        }.items():
            text = plan(sql)
            used = re.search(re.escape(node) + r" [^\n]*\n(?: +[A-Z][^\n]*: [^\n]*\n)*? +Storage: Memory  Maximum Storage: (\d+)kB", text)
            self.assertTrue(used and 16 <= int(used.group(1)) <= 5000, f"{node}: {text}")
        [node] = self.row(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(g) OVER (ORDER BY g) FROM {rows}")[0]
        self.assertEqual(node["Plan"]["Storage"], "Memory")
        self.assertGreater(node["Plan"]["Maximum Storage"], 16)
        [node] = self.row("EXPLAIN (ANALYZE, FORMAT JSON) SELECT g FROM generate_series(1, 1000) g ORDER BY g DESC")[0]
        self.assertEqual((node["Plan"]["Sort Method"], node["Plan"]["Sort Space Type"]), ("quicksort", "Memory"))
        self.assertGreater(node["Plan"]["Sort Space Used"], 3)

    def test_activity(self):
        other = self.connect("somebody", application_name="app")
        other.execute("BEGIN")
        other.execute("SELECT 'last'")
        state, query, app, address, waits, in_transaction, ordered = self.row(
            "SELECT state, query, application_name, client_addr, wait_event_type || '/' || wait_event, xact_start IS NOT NULL, "
            "backend_start <= xact_start AND xact_start <= query_start AND query_start <= state_change "
            "FROM pg_stat_activity WHERE pid = %s", other.info.backend_pid)
        self.assertEqual((state, query, app, waits), ("idle in transaction", "SELECT 'last'", "app", "Client/ClientRead"))
        self.assertEqual(str(address), "127.0.0.1")
        self.assertTrue(in_transaction and ordered)
        # As SHOW track_activity_query_size says, less a byte.
        other.execute("SELECT '" + "é" * 1000 + "'")
        self.assertEqual(self.row("SELECT query FROM pg_stat_activity WHERE pid = %s", other.info.backend_pid), ("SELECT '" + "é" * 507,))


if __name__ == "__main__":
    unittest.main()
