"""Passwords in statements: they show in no log, no audit trail, no statistics and no other session, however they are written."""
import subprocess
import unittest

import psycopg
from configured_server import BINARY, ConfiguredServer, users, wait_until

CONFIGURATION = ('[logging]\nlevel = "debug"\nslow_query_ms = 1\n[audit]\nenabled = true\nfile = "DIRECTORY/audit"\nlog_statements = "all"\n'
                 '[auth]\nmethod = "scram-sha-256"\n')
STATEMENTS = ["CREATE ROLE a1 PASSWORD 'hunter2'", "CREATE USER a2 WITH ENCRYPTED PASSWORD 'hunter2' VALID UNTIL '2030-01-01'",
              "ALTER ROLE a1 PASSWORD 'hunter2'", "ALTER USER a1 WITH PASSWORD $$hunter2$$", "alter role a1 password E'hunter\\x32'",
              "/* first */ ALTER ROLE a1 PASSWORD 'hunter2'", "SELECT 1; ALTER ROLE a1 PASSWORD 'hunter2'",
              "ALTER ROLE a1 PASSWORD 'hunter2' nonsense", "ALTER ROL a1 PASSWORD 'hunter2'", "CREATE ROLE a1 PASSWORD 'hunter2'",
              "ALTER ROLE missing PASSWORD 'hunter2'", "BEGIN; ALTER ROLE a1 PASSWORD 'hunter2'; ROLLBACK",
              "CREATE ROLE a3 PASSWORD 'hunter2' IN ROLE missing", "ALTER ROLE a1 PASSWORD 'hunter2' VALID UNTIL 'never'"]


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ConfiguredServer(CONFIGURATION + users(("root", "admin"), ("peeping", "read"))).start()
        cls.addClassCleanup(cls.server.stop)
        cls.root = cls.server.connect("root", prepare_threshold=None)
        cls.addClassCleanup(cls.root.close)
        cls.root.execute("SET log_min_duration_statement = 0")
        cls.root.execute("GRANT pg_read_all_stats TO peeping")
        cls.peeping = cls.server.connect("peeping")
        cls.addClassCleanup(cls.peeping.close)

    def run_all(self, look=lambda sql: None):
        for sql in STATEMENTS:
            try:
                self.root.execute(sql)
            except psycopg.Error as error:
                self.assertNotIn("hunter", error.diag.message_primary)
                self.root.execute("ROLLBACK")
            look(sql)

    def test_logs_and_audit(self):
        self.run_all()
        # By the extended protocol, too.
        for sql in STATEMENTS[:5]:
            try:
                self.root.execute(sql, prepare=True)
            except psycopg.Error:
                pass
        self.root.execute("SELECT 'the last one'")
        wait_until(lambda: "the last one" in (self.server.directory / "audit").read_text())
        wait_until(lambda: "the last one" in self.server.errors())
        self.assertNotIn("hunter", (self.server.directory / "audit").read_text())
        self.assertNotIn("hunter", self.server.errors())

    def test_other_sessions_see_none(self):
        pid = self.root.info.backend_pid

        def look(sql):
            shown = self.peeping.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]
            self.assertNotIn("hunter", shown, sql)

        self.run_all(look)
        with self.root.transaction():
            self.root.execute("SELECT 1; ALTER ROLE a1 PASSWORD 'hunter2'; SELECT 2")
            look("within a transaction")

    def test_statistics_show_none(self):
        self.run_all()
        for row in self.peeping.execute("SELECT query FROM pg_stat_statements").fetchall():
            self.assertNotIn("hunter", row[0])

    def test_stored_verifiers_are_for_superusers(self):
        self.run_all()
        for sql in ["SELECT rolpassword FROM pg_authid", "SELECT passwd FROM pg_shadow"]:
            with self.assertRaises(psycopg.errors.InsufficientPrivilege):
                self.peeping.execute(sql)
        self.assertEqual(self.peeping.execute("SELECT DISTINCT rolpassword FROM pg_roles").fetchall(), [("********",)])
        self.assertEqual(self.peeping.execute("SELECT DISTINCT passwd FROM pg_user").fetchall(), [("********",)])
        stored = self.root.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'a1'").fetchone()[0]
        self.assertRegex(stored, r"^SCRAM-SHA-256\$4096:")

    def test_a_login_that_fails(self):
        for user, password in [("root", "hunter2"), ("missing", "hunter2")]:
            with self.assertRaises(psycopg.OperationalError) as caught:
                self.server.connect(user, password)
            self.assertNotIn("hunter", str(caught.exception))
        self.assertNotIn("hunter", self.server.errors())

    def test_the_configuration(self):
        with ConfiguredServer('[auth]\nmethod = "password"\n' + users(("root", "admin"), password="hunter2", scram=False)) as server:
            with server.connect("root", "hunter2") as db:
                for name in ["auth.users", "auth.method"]:
                    try:
                        self.assertNotIn("argon2id$", str(db.execute("SELECT current_setting(%s)", [name]).fetchone()))
                    except psycopg.Error:
                        pass
            self.assertNotIn("argon2id", server.errors())
            shown = subprocess.run([BINARY, "config", "show", "--config", server.file], capture_output=True, text=True).stdout
            self.assertIn("auth.method", shown)
            self.assertNotIn("argon2id", shown)


if __name__ == "__main__":
    unittest.main()
