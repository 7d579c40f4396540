"""The audit trail: what is in it, what never is, and what happens to it when files go, grow or cannot be written."""
import json
import os
import unittest

import psycopg
from configured_server import BINARY, ConfiguredServer, users, wait_until

AUDIT = '[logging]\nlevel = "info"\n[audit]\nenabled = true\nfile = "DIRECTORY/audit"\n'
AUTH = '[auth]\nmethod = "scram-sha-256"\n'


def records(server, name="audit"):
    return [json.loads(line) for line in (server.directory / name).read_text().splitlines()]


def recorded(server, **wanted):
    """Waits until there are records with these fields; gives them."""
    return wait_until(lambda: [record for record in records(server) if all(record.get(key) == value for key, value in wanted.items())])


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Audit(unittest.TestCase):
    def test_what_is_recorded(self):
        with ConfiguredServer(AUDIT + AUTH + users(("ann", "admin"))) as server:
            self.assertEqual(os.stat(server.directory / "audit").st_mode & 0o077, 0, "only the server's user may read it")
            with self.assertRaises(psycopg.OperationalError):
                server.connect("ann", "wrong")
            with self.assertRaises(psycopg.OperationalError):
                server.connect("ann", dbname="missing")
            with server.connect("ann") as db:
                pid = db.info.backend_pid
                db.execute("CREATE TABLE t (a int)")
                db.execute("INSERT INTO t SELECT generate_series(1, 7)")
                db.execute("SELECT a FROM t WHERE a > %s", [4242]).fetchall()
                db.execute("BEGIN"), db.execute("DELETE FROM t"), db.execute("ROLLBACK")
                db.execute("BEGIN"), db.execute("SAVEPOINT s"), db.execute("ROLLBACK TO s"), db.execute("COMMIT")
                with self.assertRaises(psycopg.Error):
                    db.execute("SELECT 1 / 0")
                with db.cursor().copy("COPY t FROM STDIN") as copy:
                    copy.write("8\n9\n")
                with db.cursor().copy("COPY t TO STDOUT") as copy:
                    list(copy)
                db.execute("PREPARE p AS UPDATE t SET a = 0"), db.execute("EXECUTE p")
                db.execute("BEGIN")
                db.close()
            gone = recorded(server, event="disconnect", session=pid)[0]
            self.assertGreater(gone["duration_us"], 0)
            trail = [record for record in records(server) if record.get("session") == pid]
            self.assertTrue(all(record["user"] == "ann" and record["database"] == "heliosdb" and record["client"].startswith("127.0.0.1:")
                                and record["time"] for record in trail))
            events = [(record["event"], record.get("class"), record.get("command"), record.get("rows"), record.get("sqlstate"))
                      for record in trail]
            for expected in [("statement", "ddl", "CREATE TABLE", None, "00000"), ("statement", "write", "INSERT", 7, "00000"),
                             ("statement", "read", "SELECT", 0, "00000"), ("statement", "write", "DELETE", 7, "00000"),
                             ("rollback", "transaction", "ROLLBACK", None, "00000"), ("commit", "transaction", "COMMIT", None, "00000"),
                             ("statement", "transaction", "ROLLBACK", None, "00000"), ("statement", "read", None, None, "22012"),
                             ("statement", "write", "COPY", 2, "00000"), ("statement", "read", "COPY", 9, "00000"),
                             ("statement", "write", "UPDATE", 9, "00000")]:
                self.assertIn(expected, events)
            self.assertEqual(events[0][0], "connect")
            self.assertEqual([event[0] for event in events[-2:]], ["rollback", "disconnect"], "what was open was rolled back")
            self.assertNotIn("4242", (server.directory / "audit").read_text(), "values of parameters are not recorded")
            failure = recorded(server, event="authentication_failure")[0]
            self.assertEqual((failure["user"], failure["sqlstate"]), ("ann", "28P01"))
            self.assertEqual(recorded(server, event="connection_refused")[0]["sqlstate"], "3D000")

    def test_secrets_are_not_in_it(self):
        with ConfiguredServer(AUDIT) as server, server.connect() as db:
            for sql in ["CREATE ROLE r1 PASSWORD 'hunter2'", "ALTER USER r1 WITH ENCRYPTED PASSWORD $$hunter2$$",
                        "ALTER ROLE r1 PASSWORD E'hunter\\x32'", "ALTER ROL r1 PASSWORD 'hunter2'", "/* ' */ ALTER ROLE r1 PASSWORD 'hunter2'",
                        "SELECT 1; ALTER ROLE r1 PASSWORD 'hunter2'", "SELECT 'hunter2'::int /* the password */",
                        "PREPARE q AS SELECT set_config('my.password', 'hunter2', false)"]:
                try:
                    db.execute(sql, prepare=False)
                except psycopg.Error:
                    db.execute("ROLLBACK")
            db.execute("SELECT 'last'")
            recorded(server, event="statement", statement="SELECT 'last'")
            text = (server.directory / "audit").read_text()
            self.assertNotIn("hunter", text)
            self.assertGreaterEqual(text.count("<redacted>"), 7)

    def test_classes_that_are_not_asked_for(self):
        with ConfiguredServer(AUDIT + 'log_statements = "ddl"\n') as server, server.connect() as db:
            db.execute("SELECT 1"), db.execute("CREATE TABLE t (a int)"), db.execute("INSERT INTO t VALUES (1)")
            db.execute("BEGIN"), db.execute("COMMIT"), db.execute("DROP TABLE t")
            recorded(server, command="DROP TABLE")
            self.assertEqual([record.get("command") for record in records(server)], [None, "CREATE TABLE", "COMMIT", "DROP TABLE"])
            server.rewrite(AUDIT + 'log_statements = "none"\n')
            server.reload()
            db.execute("DROP TABLE IF EXISTS t"), db.execute("BEGIN"), db.execute("COMMIT")
            wait_until(lambda: records(server)[-1]["event"] == "commit")
            self.assertNotIn("statement", records(server)[-1])
            self.assertEqual(len(recorded(server, command="DROP TABLE")), 1)

    def test_rotation_and_reopening(self):
        with ConfiguredServer(AUDIT + "max_bytes = 20000\nkeep = 2\n") as server, server.connect() as db:
            for number in range(400):
                db.execute(f"SELECT {number} AS number")
            recorded(server, statement="SELECT 399 AS number")
            names = sorted(name for name in os.listdir(server.directory) if name.startswith("audit"))
            self.assertEqual(names, ["audit", "audit.1", "audit.2"])
            texts = [record["statement"] for name in ["audit.1", "audit"] for record in records(server, name) if "statement" in record]
            numbers = [int(text.split()[1]) for text in texts]
            self.assertEqual(numbers, list(range(numbers[0], 400)), "nothing is lost where a file ends")
            (server.directory / "audit").rename(server.directory / "moved")
            server.reload()
            db.execute("SELECT 'after'")
            recorded(server, statement="SELECT 'after'")

    def test_a_full_disk_harms_nobody(self):
        full = '[logging]\nlevel = "info"\n[audit]\nenabled = true\nfile = "/dev/full"\n'
        with ConfiguredServer(full) as server:
            with server.connect() as db:
                for number in range(50):
                    self.assertEqual(db.execute("SELECT 1").fetchone()[0], 1)
            self.assertIn("records are being lost", wait_until(server.errors))
            server.rewrite(AUDIT)
            server.reload()
            with server.connect() as db:
                db.execute("SELECT 'again'")
            recorded(server, statement="SELECT 'again'")

    def test_a_file_that_cannot_be_opened(self):
        with self.assertRaisesRegex(RuntimeError, "no/such/directory: the audit file cannot be opened"):
            with ConfiguredServer('[audit]\nenabled = true\nfile = "/no/such/directory"\n'):
                pass


if __name__ == "__main__":
    unittest.main()
