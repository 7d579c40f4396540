"""Hostile access: guessing, replaying, flooding, hanging on, and reading what one may not by ways around."""
import socket
import statistics
import time
import unittest

import psycopg
from configured_server import BINARY, ConfiguredServer, is_closed_by_peer, users, wait_until
from raw_protocol import Raw, Scram

MB = 1 << 20
SCRAM = '[auth]\nmethod = "scram-sha-256"\n'


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Guessing(unittest.TestCase):
    def refused(self, server, user, password="wrong"):
        started = time.monotonic()
        with self.assertRaises(psycopg.OperationalError) as caught:
            server.connect(user, password, connect_timeout=60)
        return str(caught.exception), time.monotonic() - started

    def test_guesses_are_slowed_down_and_others_are_not(self):
        with ConfiguredServer(SCRAM + users(("ann", "read"), ("bea", "read"))) as server:
            times = [self.refused(server, "ann")[1] for _ in range(6)]
            self.assertGreater(sum(times[2:]), 0.1 + 0.2 + 0.4 + 0.8 - 0.1, times)
            started = time.monotonic()
            server.connect("bea").close()
            self.assertLess(time.monotonic() - started, 0.5)
            self.refused(server, "bea")
            server.connect("bea").close()

    def test_guesses_at_once_wait_for_each_other(self):
        with ConfiguredServer(SCRAM + "timeout_secs = 4\n" + users(("ann", "read"))) as server:
            for _ in range(5):
                self.refused(server, "ann")
            raws = [Raw(server.port) for _ in range(20)]
            for raw in raws:
                raw.start_up("ann")
            time.sleep(2)
            answered = 0
            for raw in raws:
                raw.socket.setblocking(False)
                try:
                    answered += bool(raw.socket.recv(1))
                except BlockingIOError:
                    pass
                raw.socket.close()
            self.assertIn(answered, range(1, 4), "each waits for those before it")

    def test_guesses_spread_over_many_names_make_their_address_wait(self):
        with ConfiguredServer(SCRAM + users(("ann", "read"), ("bea", "read"))) as server:
            server.connect("ann").close()
            quick = sum(self.refused(server, f"user{number}")[1] for number in range(20))
            slow = [self.refused(server, f"user{20 + number}")[1] for number in range(5)]
            self.assertGreater(sum(slow), 0.1 + 0.2 + 0.4 + 0.8, (quick, slow))
            started = time.monotonic()
            server.connect("ann").close()
            self.assertLess(time.monotonic() - started, 0.5, "who has come in from there before does not wait for others")
            started = time.monotonic()
            server.connect("bea", connect_timeout=60).close()
            self.assertGreater(time.monotonic() - started, 1, "a name that has not is a guess like others")

    def test_names_that_do_not_exist_look_and_cost_the_same(self):
        for method, scram in [("password", False), ("scram-sha-256", True)]:
            with ConfiguredServer(f'[auth]\nmethod = "{method}"\n' + users(("ann", "read"), ("bea", "read"), scram=scram)) as server:
                costs = {}
                # Two failures a name are free of delays.
                for kind, names in [("known", ["ann", "bea"]), ("unknown", ["nobody", "noone"])]:
                    taken = []
                    for name in names * 2:
                        said, seconds = self.refused(server, name)
                        self.assertIn(f'password authentication failed for user "{name}"', said)
                        taken.append(seconds)
                    costs[kind] = statistics.median(taken)
                slow, fast = max(costs.values()), min(costs.values())
                self.assertLess(slow, 2.5 * fast + 0.05, f"{method}: {costs}")

    def test_scram_exchanges_replayed_and_cut_short(self):
        with ConfiguredServer(SCRAM + users(("ann", "read"))) as server:
            with Raw(server.port) as raw:
                raw.start_up("ann")
                self.assertEqual(raw.mechanisms(), ["SCRAM-SHA-256"], "no channel to bind to without TLS")
                good = Scram(raw, "secret")
                good.run()
                raw.until_ready()
                recorded = good.last()
            with Raw(server.port) as raw:
                raw.start_up("ann")
                raw.mechanisms()
                replayed = Scram(raw, "secret", nonce=good.nonce)
                replayed.send_first()
                self.assertNotEqual(replayed.read_challenge(), good.challenge, "the server's nonce is new")
                raw.send(b"p", recorded.encode())
                self.assertIn(raw.error()["C"], ("08P01", "28P01"))
            for number, cut in enumerate(range(0, len(recorded), 11)):
                with Raw(server.port) as raw:
                    raw.start_up(f"guest{number}")
                    raw.mechanisms()
                    scram = Scram(raw, "secret")
                    scram.send_first()
                    scram.read_challenge()
                    raw.send(b"p", scram.last()[:cut].encode())
                    self.assertIn(raw.error()["C"], ("08P01", "28P01"))
            # A client that skips authentication altogether.
            with Raw(server.port) as raw:
                raw.start_up("ann")
                raw.send(b"Q", b"SELECT 1\0")
                self.assertEqual(raw.error()["C"], "08P01")
            server.connect("ann").close()


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Floods(unittest.TestCase):
    def test_clients_that_never_log_in_take_no_places(self):
        text = "[server]\nmax_connections = 5\n" + SCRAM + "timeout_secs = 3\n"
        with ConfiguredServer(text + users(("ann", "read"))) as server:
            before = server.resident_bytes()
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
            for number, sock in enumerate(idle):
                # Slow ones too, that have sent a few bytes.
                sock.sendall(b"\0\0\0\x60\0\3\0\0user\0"[:number % 10])
            server.connect("ann").close()
            more = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
            self.assertTrue(is_closed_by_peer(more[-1], 2), "there is an end to how many may try at once")
            self.assertLess(server.resident_bytes() - before, 20 * MB)
            for sock in idle:
                self.assertTrue(is_closed_by_peer(sock, 6), "the time to log in is over")
            wait_until(lambda: all(is_closed_by_peer(sock, 1) for sock in more))
            server.connect("ann").close()
            for sock in idle + more:
                sock.close()

    def test_lengths_that_lie(self):
        with ConfiguredServer("[auth]\ntimeout_secs = 2\n") as server:
            for start in [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\7"]:
                with Raw(server.port) as raw:
                    raw.socket.sendall(start + b"\0\3\0\0")
                    self.assertTrue(is_closed_by_peer(raw.socket, 5))
            server.connect().close()

    def test_a_session_that_reads_nothing(self):
        with ConfiguredServer() as server, server.connect() as watcher:
            before = server.resident_bytes()
            raws = [Raw(server.port) for _ in range(4)]
            for raw in raws:
                raw.start_up("postgres")
                raw.until_ready()
                raw.send(b"Q", b"SELECT repeat('x', 1000) FROM generate_series(1, 2000000)\0")
            time.sleep(1.5)
            self.assertLess(server.resident_bytes() - before, 64 * MB, "8 GB of results do not gather in memory")
            # They can still be ended.
            sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            self.assertEqual(watcher.execute(sql).fetchone(), (4,))
            wait_until(lambda: watcher.execute("SELECT count(*) FROM pg_stat_activity").fetchone()[0] == 1)
            for raw in raws:
                raw.socket.close()


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = "[server]\nmax_connections = 3\n" + SCRAM
        cls.server = ConfiguredServer(text + users(("root", "admin"), ("ann", "read"), ("bea", "read"))).start()
        cls.addClassCleanup(cls.server.stop)

    def fails(self, code, words, work):
        with self.assertRaises(psycopg.Error) as caught:
            work()
        if caught.exception.sqlstate:
            self.assertEqual(caught.exception.sqlstate, code)
        self.assertIn(words, str(caught.exception))

    def test_one_place_is_kept_for_an_administrator(self):
        taken = [self.server.connect("ann") for _ in range(3)]
        self.fails("53300", "too many connections", lambda: self.server.connect("bea"))
        with self.server.connect("root") as root:
            self.fails("53300", "too many connections", lambda: self.server.connect("root"))
            self.assertEqual(root.execute("SELECT count(*) FROM pg_stat_activity").fetchone()[0], 4)
        for db in taken:
            db.close()
        wait_until(lambda: self.server.connect("root").execute("SELECT count(*) FROM pg_stat_activity").fetchone()[0] == 1)

    def test_connection_limit_of_a_role(self):
        with self.server.connect("root") as root:
            root.execute("ALTER ROLE ann CONNECTION LIMIT 1")
            with self.server.connect("ann"):
                self.fails("53300", 'too many connections for role "ann"', lambda: self.server.connect("ann"))
            root.execute("ALTER ROLE ann CONNECTION LIMIT 0")
            self.fails("53300", 'too many connections for role "ann"', lambda: self.server.connect("ann"))
            root.execute("ALTER ROLE ann CONNECTION LIMIT -1")
            root.execute("ALTER ROLE root CONNECTION LIMIT 0")
            self.server.connect("root").close()
            root.execute("ALTER ROLE root CONNECTION LIMIT -1")

    def test_passwords_that_are_no_longer_valid(self):
        with self.server.connect("root") as root:
            root.execute("CREATE ROLE late LOGIN PASSWORD 'secret' VALID UNTIL '2000-01-01'")
            self.fails("28P01", 'password authentication failed for user "late"', lambda: self.server.connect("late"))
            root.execute("ALTER ROLE late VALID UNTIL 'infinity'")
            self.server.connect("late").close()
            root.execute("ALTER ROLE late NOLOGIN")
            self.fails("28000", 'role "late" is not permitted to log in', lambda: self.server.connect("late"))
            root.execute("ALTER ROLE late LOGIN PASSWORD NULL")
            self.fails("28P01", "password authentication failed", lambda: self.server.connect("late", "x"))
            root.execute("DROP ROLE late")

    def test_idle_sessions_and_transactions(self):
        with self.server.connect("root") as db:
            db.execute("SET idle_in_transaction_session_timeout = '200ms'")
            db.execute("BEGIN")
            time.sleep(0.6)
            self.fails("25P03", "idle-in-transaction timeout", lambda: db.execute("SELECT 1"))
        with self.server.connect("root") as db:
            db.execute("SET idle_session_timeout = '200ms'")
            time.sleep(0.6)
            self.fails("57P05", "idle-session timeout", lambda: db.execute("SELECT 1"))


def run_all(db, sql):
    """Runs statements separated by semicolons; COPY's data is read, or there is none."""
    for one in sql.split("; "):
        if one.startswith("COPY") and ("STDOUT" in one or "STDIN" in one):
            with db.cursor().copy(one) as copy:
                if "STDOUT" in one:
                    list(copy)
        else:
            db.execute(one)


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Rights(unittest.TestCase):
    """What a role may not read it does not see, whichever way it asks."""

    @classmethod
    def setUpClass(cls):
        cls.server = ConfiguredServer(SCRAM + users(("root", "admin"), ("reader", "read"))).start()
        cls.addClassCleanup(cls.server.stop)
        cls.root = cls.server.connect("root")
        cls.addClassCleanup(cls.root.close)
        for sql in ["CREATE ROLE spy LOGIN PASSWORD 'secret'", "CREATE ROLE owner_of_views", "GRANT CREATE ON SCHEMA public TO owner_of_views",
                    "CREATE TABLE hidden (id int PRIMARY KEY, hush text UNIQUE, n int NOT NULL, c int CHECK (c > 0), other int REFERENCES hidden (id))",
                    "INSERT INTO hidden VALUES (1, 'hush-hush', 1, 1, NULL)",
                    "GRANT INSERT (id, hush, n, c, other), UPDATE (n) ON hidden TO spy",
                    "CREATE VIEW open_view AS SELECT n FROM hidden", "GRANT SELECT ON open_view TO spy",
                    "CREATE VIEW closed_view AS SELECT hush FROM hidden",
                    "CREATE VIEW invoker WITH (security_invoker) AS SELECT n FROM hidden", "GRANT SELECT ON invoker TO spy",
                    "CREATE VIEW of_another AS SELECT hush FROM hidden", "ALTER VIEW of_another OWNER TO owner_of_views",
                    "GRANT SELECT ON of_another TO spy", "CREATE SEQUENCE counter", "ANALYZE hidden"]:
            cls.root.execute(sql)

    def setUp(self):
        self.spy = self.server.connect("spy")
        self.addCleanup(self.spy.close)

    def test_denied_whichever_way(self):
        self.assertEqual(self.spy.execute("SELECT n FROM open_view").fetchall(), [(1,)], "a view reads with its owner's rights")
        for sql in ["SELECT * FROM hidden", "SELECT hush FROM hidden", "SELECT count(*) FROM hidden", "SELECT 1 FROM hidden", "TABLE hidden",
                    "SELECT * FROM closed_view", "SELECT * FROM invoker", "SELECT * FROM of_another",
                    "EXPLAIN SELECT hush FROM hidden", "EXPLAIN ANALYZE SELECT hush FROM hidden", "COPY hidden TO STDOUT",
                    "COPY (SELECT hush FROM hidden) TO STDOUT", "COPY hidden (hush) TO STDOUT", "CREATE TEMP TABLE t AS SELECT hush FROM hidden",
                    "SELECT hush INTO TEMP t FROM hidden", "CREATE TEMP VIEW v AS SELECT hush FROM hidden; SELECT * FROM v",
                    "PREPARE p AS SELECT hush FROM hidden; EXECUTE p", "DECLARE c CURSOR WITH HOLD FOR SELECT hush FROM hidden",
                    "WITH x AS (SELECT hush FROM hidden) SELECT * FROM x", "SELECT (SELECT hush FROM hidden)", "SELECT EXISTS (SELECT FROM hidden)",
                    "INSERT INTO hidden (id, n) VALUES (9, 1) RETURNING hush", "INSERT INTO hidden (id, n) SELECT 9, n FROM hidden",
                    "INSERT INTO hidden (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = hidden.c",
                    "UPDATE hidden SET n = 2 WHERE hush = 'hush-hush'", "UPDATE hidden SET n = c", "UPDATE hidden SET n = 2 RETURNING hush",
                    "UPDATE hidden SET hush = 'x'", "DELETE FROM hidden", "TRUNCATE hidden", "BEGIN; LOCK TABLE hidden IN ACCESS EXCLUSIVE MODE",
                    "MERGE INTO hidden USING (SELECT 1 AS x) s ON hidden.id = s.x WHEN MATCHED THEN DELETE",
                    "CREATE INDEX ON hidden (hush)", "ALTER TABLE hidden ADD COLUMN x int", "DROP TABLE hidden",
                    "CREATE TEMP TABLE child (r int REFERENCES hidden (id))", "SELECT nextval('counter')", "SELECT last_value FROM counter",
                    "SELECT setval('counter', 9)", "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow", "SELECT rolpassword FROM pg_authid",
                    "SELECT pg_read_file('/etc/passwd')", "COPY open_view TO '/tmp/x'", "COPY (SELECT 1) TO PROGRAM 'id'", "SET ROLE root",
                    "SET SESSION AUTHORIZATION root", "ALTER ROLE spy SUPERUSER", "GRANT owner_of_views TO spy", "CREATE ROLE another"]:
            with self.assertRaises(psycopg.Error, msg=sql) as caught:
                run_all(self.spy, sql)
            self.assertIn(caught.exception.sqlstate, ("42501", "42P16", "0A000"), f"{sql}: {caught.exception}")
            self.assertNotIn("hush-hush", str(caught.exception))
            if self.spy.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.spy.execute("ROLLBACK")
        self.assertEqual(self.root.execute("SELECT * FROM hidden").fetchall(), [(1, "hush-hush", 1, 1, None)])

    def violated(self, sql):
        with self.assertRaises(psycopg.Error) as caught:
            self.spy.execute(sql)
        return caught.exception.diag.message_detail

    def test_details_of_errors_show_only_what_may_be_read(self):
        # As PostgreSQL 15 answers each of them.
        self.assertIsNone(self.violated("INSERT INTO hidden (id, n) VALUES (1, 5)"))
        self.assertIsNone(self.violated("INSERT INTO hidden (id, n, hush) VALUES (2, 5, 'hush-hush')"))
        self.assertEqual(self.violated("INSERT INTO hidden (id, n, hush) VALUES (2, NULL, 'x')"),
                         "Failing row contains (id, hush, n) = (2, x, null).")
        self.assertEqual(self.violated("INSERT INTO hidden (id, n, c) VALUES (2, 3, -1)"), "Failing row contains (id, n, c) = (2, 3, -1).")
        self.assertEqual(self.violated("INSERT INTO hidden (id, n, other) VALUES (2, 3, 77)"), 'Key is not present in table "hidden".')
        self.assertEqual(self.violated("UPDATE hidden SET n = NULL"), "Failing row contains (n) = (null).")
        self.root.execute("GRANT SELECT (id) ON hidden TO spy")
        self.assertEqual(self.violated("INSERT INTO hidden (id, n) VALUES (1, 5)"), "Key (id)=(1) already exists.")
        self.assertEqual(self.violated("UPDATE hidden SET n = NULL"), "Failing row contains (id, n) = (1, null).")
        self.root.execute("REVOKE SELECT (id) ON hidden FROM spy")
        with self.assertRaises(psycopg.Error) as caught, self.spy.cursor().copy("COPY hidden (id, c) FROM STDIN") as copy:
            copy.write("5\t6\n")
        self.assertEqual(caught.exception.diag.message_detail, "Failing row contains (id, c) = (5, 6).")

    def test_statistics_and_others_sessions(self):
        shown = "SELECT attname, most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE tablename = 'sampled' ORDER BY attname"
        self.root.execute("CREATE TABLE sampled AS SELECT g AS id, 'hush-hush' AS hush FROM generate_series(1, 3) g")
        self.root.execute("ANALYZE sampled")
        everything = [("hush", "{hush-hush}", None), ("id", None, "{1,2,3}")]
        self.assertEqual(self.root.execute(shown).fetchall(), everything)
        self.assertEqual(self.spy.execute(shown).fetchall(), [], "who may not read a column may not read its statistics")
        self.root.execute("GRANT SELECT (id) ON sampled TO spy")
        self.assertEqual(self.spy.execute(shown).fetchall(), everything[1:])
        self.root.execute("GRANT SELECT ON sampled TO spy")
        self.assertEqual(self.spy.execute(shown).fetchall(), everything)
        self.root.execute("DROP TABLE sampled")
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            self.spy.execute("SELECT * FROM pg_statistic")
        other = self.root.info.backend_pid
        self.root.execute("SELECT 'hush-hush'")
        row = self.spy.execute("SELECT query, state, client_addr, xact_start FROM pg_stat_activity WHERE pid = %s", [other]).fetchone()
        self.assertEqual(row, ("<insufficient privilege>", None, None, None))
        for function in ["pg_terminate_backend", "pg_cancel_backend"]:
            with self.assertRaisesRegex(psycopg.errors.InsufficientPrivilege, "must be a superuser"):
                self.spy.execute(f"SELECT {function}({other})")
        self.root.execute("GRANT pg_read_all_stats TO spy")
        shown = self.spy.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [other]).fetchone()[0]
        self.assertIn("GRANT pg_read_all_stats", shown)
        self.root.execute("REVOKE pg_read_all_stats FROM spy")

    def test_functions(self):
        self.spy.execute("PREPARE loud AS SELECT upper('a')")
        for signature, call, word in [("upper(text)", "SELECT upper('a')", "function upper"), ("upper(text)", "EXECUTE loud", "function upper"),
                                      ("max(int)", "SELECT max(n) FROM open_view", "aggregate max"), ("int4pl", "SELECT n + 1 FROM open_view", "function int4pl")]:
            self.spy.execute(call)
            self.root.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
            with self.assertRaisesRegex(psycopg.errors.InsufficientPrivilege, f"permission denied for {word}"):
                self.spy.execute(call)
            self.root.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO spy")
            self.spy.execute(call)
            self.root.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM spy")
            self.root.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO PUBLIC")
        with self.assertRaisesRegex(psycopg.errors.InsufficientPrivilege, "permission denied for function pg_reload_conf"):
            self.spy.execute("SELECT pg_reload_conf()")
        self.root.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO spy")
        self.assertTrue(self.spy.execute("SELECT has_function_privilege('pg_reload_conf()', 'execute')").fetchone()[0])
        self.assertTrue(self.spy.execute("SELECT pg_reload_conf()").fetchone()[0])
        self.root.execute("REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM spy")
        self.assertFalse(self.spy.execute("SELECT has_function_privilege('pg_reload_conf()', 'execute')").fetchone()[0])

    def test_all_functions_and_tables_of_the_system(self):
        may = lambda what, name, right: self.root.execute(f"SELECT has_{what}_privilege('spy', %s, %s)", [name, right]).fetchone()[0]
        self.addCleanup(lambda: self.root.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog TO PUBLIC; "
                                                  "REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM PUBLIC"))
        self.root.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog FROM PUBLIC")
        for sql, word in [("SELECT upper('a')", "function upper"), ("SELECT 1 + 1", "function int4pl"),
                          ("SELECT max(n) FROM open_view", "aggregate max"), ("SELECT row_number() OVER ()", "function row_number"),
                          ("SELECT * FROM generate_series(1, 2)", "function generate_series")]:
            with self.assertRaisesRegex(psycopg.errors.InsufficientPrivilege, f"permission denied for {word}"):
                self.spy.execute(sql)
        self.root.execute("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA pg_catalog TO spy")
        self.assertEqual(self.spy.execute("SELECT upper('a'), 1 + 1").fetchone(), ("A", 2))
        self.assertTrue(may("function", "max(int)", "EXECUTE"))
        self.root.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog FROM spy")
        self.root.execute("GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA pg_catalog TO spy")
        self.assertFalse(may("function", "upper(text)", "EXECUTE"))
        self.root.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog TO PUBLIC")
        # As in PostgreSQL: all means those too that were kept from everybody.
        self.assertTrue(may("function", "pg_reload_conf()", "EXECUTE"))
        self.root.execute("REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM PUBLIC")
        self.root.execute("GRANT UPDATE ON ALL TABLES IN SCHEMA pg_catalog TO spy")
        self.assertTrue(may("table", "pg_class", "UPDATE") and may("table", "pg_tables", "UPDATE"))
        self.root.execute("REVOKE UPDATE ON ALL TABLES IN SCHEMA pg_catalog FROM spy")
        self.assertFalse(may("table", "pg_class", "UPDATE"))

    def test_the_configuration_s_reader_changes_nothing(self):
        with self.server.connect("reader") as db:
            self.assertEqual(db.execute("SELECT hush FROM hidden").fetchone()[0], "hush-hush")
            for sql in ["UPDATE hidden SET n = 3", "PREPARE w AS DELETE FROM hidden; EXECUTE w", "WITH gone AS (DELETE FROM hidden RETURNING *) TABLE gone",
                        "SELECT nextval('counter')", "CREATE TABLE mine (a int)", "COPY hidden FROM STDIN", "SELECT hush FROM hidden FOR UPDATE"]:
                with self.assertRaises(psycopg.errors.InsufficientPrivilege, msg=sql):
                    run_all(db, sql)


if __name__ == "__main__":
    unittest.main()
