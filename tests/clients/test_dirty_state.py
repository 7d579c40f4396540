"""What is in no dump: counted, reset by dumps and restores, told at the end; dumps by schedule. Needs HELIOSDB_NANO, the program under test."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from local_server import LocalServer

BINARY = os.environ.get("HELIOSDB_NANO")

GUIDE_CONFIGURATION = """
[session]
# Session timeout in seconds
timeout_secs = 3600
# Maximum sessions per user
max_sessions_per_user = 10
# Default isolation level
default_isolation_level = "READ_COMMITTED"
[auth]
# Authentication method: trust, password, or scram-sha-256
method = "password"
# User credentials (for development - use external auth in production)
[[auth.users]]
username = "alice"
password_hash = "$argon2id$v=19$m=4096,t=3,p=1$..."
roles = ["read", "write"]
[[auth.users]]
username = "bob"
password_hash = "$argon2id$v=19$m=4096,t=3,p=1$..."
roles = ["read"]
[dump]
warn_on_dirty_shutdown = true
"""


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
class DirtyStateTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def start(self):
        server = LocalServer(BINARY)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def connect(self, server):
        db = psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="heliosdb", autocommit=True)
        self.addCleanup(db.close)
        return db

    def dirty(self, db):
        return db.execute("SELECT pg_stat_get_dirty_rows(), pg_stat_get_dirty_bytes() > 0").fetchone()

    def run_command(self, server, *command):
        environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(server.port), PGUSER="postgres", PGDATABASE="heliosdb")
        done = subprocess.run([BINARY, *map(str, command)], env=environment, text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_changes_count_until_they_are_dumped(self):
        server = self.start()
        db = self.connect(server)
        self.assertEqual(self.dirty(db), (0, False))
        db.execute("CREATE TABLE t (n int PRIMARY KEY, s text)")
        self.assertEqual(self.dirty(db), (1, True))
        db.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 5000) n")
        self.assertEqual(self.dirty(db), (5001, True))
        with db.transaction(force_rollback=True):
            db.execute("DELETE FROM t")
        db.execute("SELECT count(*) FROM t")
        self.assertEqual(self.dirty(db), (5001, True), "what is rolled back or read is no change")
        self.run_command(server, "dump", "--table", "t", "--output", self.directory / "t.sql")
        self.assertEqual(self.dirty(db), (5001, True), "some tables are not the database")
        for name in ["d.sql", "d.heliodump"]:
            self.run_command(server, "dump", "--output", self.directory / name)
            self.assertEqual(self.dirty(db), (0, False))
            db.execute("UPDATE t SET s = 'y' WHERE n <= 10")
            self.assertEqual(self.dirty(db), (10, True))
        self.run_command(server, "dump", "--append", "--output", self.directory / "d.heliodump")
        self.assertEqual(self.dirty(db), (0, False))

    def test_temporary_tables_are_not_to_be_saved(self):
        db = self.connect(self.start())
        db.execute("CREATE TEMP TABLE t (n serial, s text)")
        db.execute("INSERT INTO t (s) SELECT 'x' FROM generate_series(1, 10)")
        db.execute("UPDATE t SET s = 'y'")
        db.execute("TRUNCATE t")
        db.execute("CREATE TEMP TABLE u AS SELECT 1")
        db.execute("DROP TABLE t")
        self.assertEqual(self.dirty(db), (0, False))

    def test_what_changes_during_a_dump_stays_dirty(self):
        server = self.start()
        db, other = self.connect(server), self.connect(server)
        db.execute("CREATE TABLE t (n int)")
        with db.transaction():
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            position = db.execute("SELECT pg_dump_position()").fetchone()[0]
            other.execute("INSERT INTO t VALUES (1), (2)")
            self.assertEqual(db.execute("SELECT pg_dump_position()").fetchone()[0], position)
        db.execute("SELECT pg_dump_done(%s)", [position])
        self.assertEqual(self.dirty(db), (2, True))

    def test_only_a_superuser_resets_the_count(self):
        db = self.connect(self.start())
        db.execute("CREATE TABLE t (n int)")
        db.execute("CREATE ROLE somebody")
        db.execute("SET ROLE somebody")
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            db.execute("SELECT pg_dump_done('1000/1000')")
        self.assertEqual(self.dirty(db), (1, True))

    def test_a_restored_database_is_clean(self):
        first, second = self.start(), self.start()
        self.connect(first).execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n")
        self.run_command(first, "dump", "--output", self.directory / "d.heliodump")
        db = self.connect(second)
        self.run_command(second, "restore", "--input", self.directory / "d.heliodump")
        self.assertEqual(self.dirty(db), (0, False))
        db.execute("DELETE FROM t WHERE n = 1")
        self.assertEqual(self.dirty(db), (1, True))
        self.run_command(second, "restore", "--clean", "--table", "t", "--input", self.directory / "d.heliodump")
        self.assertNotEqual(self.dirty(db)[0], 0, "a part is not the whole")
        self.run_command(second, "restore", "--clean", "--input", self.directory / "d.heliodump")
        self.assertEqual(self.dirty(db), (0, False))

    def server(self, *arguments):
        """A server with arguments of its own: its process, its connection, and a way to end it that gives what it said."""
        ready = subprocess.Popen([BINARY, "start", "--memory", "--port", "0", *map(str, arguments)], cwd=self.directory, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(ready.kill)
        lines = [ready.stdout.readline() for _ in range(2)]
        self.assertIn("ready", lines[0], lines)
        db = psycopg.connect(lines[1].strip(), autocommit=True)

        def end():
            db.close()
            ready.send_signal(signal.SIGTERM)
            said = ready.communicate(timeout=30)[1]
            return ready.returncode, said

        return db, end

    def test_a_dirty_shutdown_is_told(self):
        db, end = self.server()
        db.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1233) n")
        code, said = end()
        self.assertEqual(code, 0)
        self.assertIn("Dirty state: YES (1234 uncommitted changes)", said)
        self.assertIn('"heliosdb"', said)
        db, end = self.server()
        self.assertEqual(end(), (0, ""), "nothing is lost")
        db, end = self.server("--dump-on-shutdown", "--dump-file", "last.sql")
        db.execute("CREATE TABLE t (n int)")
        self.assertEqual(end(), (0, ""))
        self.assertIn("CREATE TABLE public.t", (self.directory / "last.sql").read_text())
        (self.directory / "quiet.toml").write_text("[dump]\nwarn_on_dirty_shutdown = false\n")
        db, end = self.server("--config", "quiet.toml")
        db.execute("CREATE TABLE t (n int)")
        self.assertEqual(end(), (0, ""))

    def test_a_last_dump_that_fails_is_told(self):
        db, end = self.server("--dump-on-shutdown", "--dump-file", "missing/last.heliodump")
        db.execute("CREATE TABLE t (n int)")
        code, said = end()
        self.assertEqual(code, 1)
        self.assertIn("No such file or directory", said)
        self.assertIn("Dirty state: YES (1 uncommitted changes)", said)

    def test_a_schedule_dumps_and_keeps_the_newest(self):
        db, end = self.server("--dump-schedule", "* * * * * *", "--dump-file", "nightly.heliodump", "--dump-keep", "2")
        db.execute("CREATE TABLE t (n int)")
        seen = set()
        deadline = time.monotonic() + 30
        while len(seen) < 4 and time.monotonic() < deadline:
            now = {path.name for path in self.directory.glob("nightly-*Z.heliodump")}
            self.assertLessEqual(len(now), 3, "one more than kept, for a moment")
            seen |= now
            time.sleep(0.1)
        self.assertGreaterEqual(len(seen), 4)
        self.assertEqual(self.dirty(db), (0, False))
        self.assertEqual(end()[0], 0)
        self.assertEqual(len(list(self.directory.glob("nightly-*"))), 2)
        self.assertEqual(list(self.directory.glob(".*.tmp")), [])

    def test_a_scheduled_dump_that_fails_is_logged_and_tried_again(self):
        db, end = self.server("--dump-schedule", "* * * * * *", "--dump-file", "later/nightly.sql")
        time.sleep(2)
        (self.directory / "later").mkdir()
        deadline = time.monotonic() + 30
        while not list((self.directory / "later").glob("nightly-*Z.sql")) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertTrue(list((self.directory / "later").glob("nightly-*Z.sql")))
        self.assertIn("the scheduled dump failed", end()[1])

    def test_wrong_dump_arguments_are_refused(self):
        for arguments, word in [(["--dump-schedule", "61 * * * *"], "minute"), (["--dump-file", "x"], "needs"), (["--dump-keep", "3"], "needs")]:
            done = subprocess.run([BINARY, "start", "--memory", "--port", "0", *arguments], text=True, capture_output=True, timeout=30)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)

    def test_the_guide_s_configuration_starts_as_printed(self):
        (self.directory / "config.toml").write_text(GUIDE_CONFIGURATION)
        environment = dict(os.environ)
        environment.pop("HELIOSDB_CONFIG", None)
        ready = subprocess.Popen([BINARY, "start", "--memory", "--port", "0", "--config", "config.toml"], cwd=self.directory, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.addCleanup(ready.kill)
        self.assertIn("ready", ready.stdout.readline())
        ready.send_signal(signal.SIGTERM)
        said = ready.communicate(timeout=30)[1]
        self.assertEqual(ready.returncode, 0)
        self.assertEqual(said.count("cannot log in"), 2, said)
        done = subprocess.run([BINARY, "repl", "--memory", "--config", "./config.toml", "--execute", "CREATE TABLE t (n int)", "--execute",
            "SELECT rolname FROM pg_roles WHERE rolname IN ('alice', 'bob') ORDER BY 1"], cwd=self.directory, text=True, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("alice", done.stdout)
        self.assertIn("Dirty state: YES (1 uncommitted changes)", done.stderr)


if __name__ == "__main__":
    unittest.main()
