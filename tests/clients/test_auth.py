"""Passwords, the configuration's users, and limits of sessions, on a server of the test's own."""
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import psycopg

BINARY = os.environ.get("HELIOSDB_NANO")


def hashed(password, *flags):
    return subprocess.run([BINARY, "hash-password", *flags], input=password, text=True, capture_output=True, check=True).stdout.strip()


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Authentication(unittest.TestCase):
    METHOD = "password"

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        users = [("alice", ["read", "write"]), ("bob", ["read"]), ("root", ["admin"])]
        text = (f'[session]\ntimeout_secs = 2\nmax_sessions_per_user = 2\n[resource_quotas]\ntransaction_timeout_secs = 1\nlock_timeout_ms = 300\n'
                f'[auth]\nmethod = "{cls.METHOD}"\n')
        for name, roles in users:
            text += f'[[auth.users]]\nusername = "{name}"\npassword_hash = "{hashed("secret", *cls.flags())}"\nroles = {roles}\n'.replace("'", '"')
        path = pathlib.Path(cls.directory.name) / "config.toml"
        path.write_text(text)
        cls.process = subprocess.Popen([BINARY, "start", "--memory", "--port", "0", "--config", path], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        for line in cls.process.stdout:
            if found := re.search(r"postgresql://[^@]+@[^/]*:(\d+)/", line):
                cls.port = int(found.group(1))
                break
        with cls.connect("root") as db:
            db.execute("CREATE TABLE t (a int)")

    @classmethod
    def flags(cls):
        return ["--scram"] if cls.METHOD == "scram-sha-256" else []

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(10)
        cls.process.stdout.close()
        cls.directory.cleanup()

    @classmethod
    def connect(cls, user, password="secret"):
        return psycopg.connect(host="127.0.0.1", port=cls.port, user=user, password=password, dbname="heliosdb", autocommit=True)

    def refused(self, user, password):
        with self.assertRaises(psycopg.OperationalError) as caught:
            self.connect(user, password)
        return str(caught.exception)

    def test_wrong_and_unknown_look_the_same(self):
        for user in ["bob", "nobody"]:
            self.assertIn(f'password authentication failed for user "{user}"', self.refused(user, "wrong"))

    def test_roles_of_the_configuration(self):
        with self.connect("alice") as alice, self.connect("bob") as bob:
            alice.execute("INSERT INTO t VALUES (1)")
            alice.execute("UPDATE t SET a = a + 1 WHERE a = 1")
            self.assertGreaterEqual(bob.execute("SELECT count(*) FROM t").fetchone()[0], 1)
            for db, sql in [(bob, "INSERT INTO t VALUES (2)"), (bob, "DELETE FROM t"), (alice, "CREATE TABLE u (a int)"),
                            (alice, "DROP TABLE t"), (bob, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alice'")]:
                with self.assertRaises(psycopg.errors.InsufficientPrivilege, msg=sql):
                    db.execute(sql)

    def test_a_role_of_sql_logs_in(self):
        with self.connect("root") as root:
            root.execute("DROP ROLE IF EXISTS carl")
            root.execute("CREATE ROLE carl LOGIN PASSWORD 'wood'")
            with self.connect("carl", "wood") as carl:
                self.assertEqual(carl.execute("SELECT current_user").fetchone()[0], "carl")
            self.assertIn("password authentication failed", self.refused("carl", "steel"))
            root.execute("ALTER ROLE carl NOLOGIN")
            self.assertIn('role "carl" is not permitted to log in', self.refused("carl", "wood"))

    def test_connection_limit(self):
        with self.connect("bob"), self.connect("bob"):
            self.assertIn("connection limit exceeded for user 'bob'", self.refused("bob", "secret"))

    def test_an_idle_session_ends(self):
        db = self.connect("bob")
        time.sleep(3)
        with self.assertRaises(psycopg.OperationalError):
            db.execute("SELECT 1")
        db.close()

    def test_the_transaction_timeout_keeps_the_session(self):
        with self.connect("alice") as db:
            db.execute("BEGIN")
            db.execute("INSERT INTO t VALUES (100)")
            time.sleep(1.5)
            with self.assertRaises(psycopg.Error) as caught:
                db.execute("SELECT 1")
            self.assertEqual(caught.exception.sqlstate, "25P04")
            db.execute("ROLLBACK")
            self.assertEqual(db.execute("SELECT count(*) FROM t WHERE a = 100").fetchone()[0], 0)

    def test_a_session_cannot_loosen_the_lock_timeout(self):
        with self.connect("root") as holder, self.connect("alice") as waiter:
            holder.execute("BEGIN")
            holder.execute("SELECT pg_advisory_xact_lock(7)")
            waiter.execute("SET lock_timeout = 0")
            with self.assertRaises(psycopg.errors.LockNotAvailable):
                waiter.execute("SELECT pg_advisory_xact_lock(7)")
            holder.execute("ROLLBACK")


class Scram(Authentication):
    METHOD = "scram-sha-256"


if __name__ == "__main__":
    unittest.main()
