"""The configuration read again: by SIGHUP and by SQL, whole or not at all."""
import json
import subprocess
import time
import unittest

import psycopg
from configured_server import BINARY, ConfiguredServer, make_certificate, users, wait_until

LOGGED = '[logging]\nlevel = "info"\n'


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Reload(unittest.TestCase):
    def test_limits_users_and_certificates_are_swapped(self):
        text = '[auth]\nmethod = "scram-sha-256"\n'
        both = users(("root", "admin"), ("ann", "read"))
        with ConfiguredServer(LOGGED + text + both) as server:
            kept = server.connect("ann")
            self.assertEqual(kept.execute("SHOW lock_timeout").fetchone()[0], "0")
            with self.assertRaisesRegex(psycopg.OperationalError, "server does not support SSL"):
                server.connect("root", sslmode="require")
            first, key = make_certificate(server.directory, "first")
            tls = f'[server]\ntls_cert = "{first}"\ntls_key = "{key}"\nmax_connections = 50\n'
            server.rewrite(LOGGED + text + users(("root", "admin"), ("bea", "read")) + tls + "[locks]\ntimeout_ms = 1234\n")
            server.reload()
            with server.connect("root", sslmode="verify-full", sslrootcert=first, host="localhost") as db:
                self.assertEqual(db.execute("SHOW max_connections").fetchone()[0], "50")
                self.assertEqual(db.execute("SHOW ssl").fetchone()[0], "on")
            server.connect("bea").close()
            self.assertEqual(kept.execute("SHOW lock_timeout").fetchone()[0], "1234ms", "a session that had set nothing follows")
            kept.close()
            with self.assertRaisesRegex(psycopg.OperationalError, "password authentication failed"):
                server.connect("ann")
            # A new certificate in the same files, under connections that stay.
            old = server.connect("root", sslmode="require")
            second, new_key = make_certificate(server.directory, "second")
            second.rename(first), new_key.rename(key)
            with server.connect("root") as db:
                loaded = db.execute("SELECT pg_conf_load_time()").fetchone()[0]
                self.assertTrue(db.execute("SELECT pg_reload_conf()").fetchone()[0])
                wait_until(lambda: db.execute("SELECT pg_conf_load_time()").fetchone()[0] > loaded)
            server.connect("root", sslmode="verify-full", sslrootcert=first, host="localhost").close()
            self.assertEqual(old.execute("SELECT 1").fetchone()[0], 1)
            old.close()

    def test_sql_passwords_survive(self):
        text = LOGGED + '[auth]\nmethod = "scram-sha-256"\n' + users(("root", "admin"), ("ann", "read"))
        with ConfiguredServer(text) as server:
            with server.connect("root") as db:
                db.execute("ALTER ROLE ann PASSWORD 'other'")
                db.execute("CREATE ROLE by_sql LOGIN PASSWORD 'third'")
            server.reload()
            server.connect("ann", "other").close()
            server.connect("by_sql", "third").close()

    def test_what_is_broken_changes_nothing(self):
        with ConfiguredServer(LOGGED + "[server]\nmax_connections = 77\n") as server:
            certificate, _ = make_certificate(server.directory)
            _, other = make_certificate(server.directory, "other")
            for broken, words in [("[server\n", "config.toml"), ("[server]\nmax_connection = 5\n", "did you mean server.max_connections"),
                                  ("[server]\nmax_connections = 0\n", "a whole number"),
                                  (f'[server]\nmax_connections = 5\ntls_cert = "{certificate}"\ntls_key = "{other}"\n', "does not belong"),
                                  ('[server]\nmax_connections = 5\n[auth]\nmethod = "password"\n', "nobody could log in")]:
                server.rewrite(LOGGED + broken)
                said = server.reload("was not reloaded")
                self.assertIn(words, said)
                self.assertEqual(said.count("\n"), 1, said)
                with server.connect() as db:
                    self.assertEqual(db.execute("SHOW max_connections").fetchone()[0], "77")
            server.file.unlink()
            self.assertIn("could not read", server.reload("was not reloaded"))

    def test_what_needs_a_restart_is_named(self):
        with ConfiguredServer(LOGGED) as server:
            server.rewrite(LOGGED + '[server]\nlisten = "127.0.0.2"\nport = 1\nsocket_dir = "/tmp"\nmax_connections = 9\n')
            said = server.reload("was reloaded")
            for name in ["server.listen", "server.socket_dir"]:
                self.assertIn(f"{name} has changed, and takes effect when the server is started again", said)
            # The port is given by a flag, which the file does not beat.
            self.assertNotIn("server.port", said)
            with server.connect() as db:
                self.assertEqual(db.execute("SHOW port").fetchone()[0], str(server.port))
                self.assertEqual(db.execute("SHOW max_connections").fetchone()[0], "9")

    def test_only_administrators_reload_and_stop(self):
        text = '[auth]\nmethod = "scram-sha-256"\n' + users(("ann", "write"))
        with ConfiguredServer(text) as server, server.connect("ann") as db:
            for function in ["pg_reload_conf", "pg_stop_server"]:
                with self.assertRaisesRegex(psycopg.errors.InsufficientPrivilege, f"permission denied for function {function}"):
                    db.execute(f"SELECT {function}()")

    def test_the_log_s_level_and_form(self):
        with ConfiguredServer('[logging]\nlevel = "error"\n') as server:
            server.rewrite('[logging]\nlevel = "info"\nformat = "json"\n')
            line = json.loads(server.reload().splitlines()[-1])
            self.assertEqual((line["level"], line["message"]), ("INFO", "the configuration was reloaded"))
            server.rewrite('[logging]\nlevel = "error"\n')
            before = len(server.errors())
            server.process.send_signal(1)
            server.rewrite('[logging]\nlevel = "info"\n')
            time.sleep(0.3)
            said = server.reload()
            self.assertNotIn("{", said)
            self.assertLessEqual(server.errors()[before:].count("was reloaded"), 2)

    def test_stop_over_a_connection(self):
        server = ConfiguredServer().start()
        try:
            done = subprocess.run([BINARY, "stop", "--port", str(server.port)], capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (0, "stopped\n"), done.stderr)
            self.assertEqual(server.process.wait(10), 0)
            done = subprocess.run([BINARY, "stop", "--port", str(server.port)], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
