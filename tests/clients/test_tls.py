"""TLS: versions, channel binding, downgrades, attacks on the start, and files that are wrong."""
import os
import subprocess
import tempfile
import unittest

import psycopg
from configured_server import BINARY, ConfiguredServer, is_closed_by_peer, make_certificate, users
from raw_protocol import SSL_REQUEST, Raw, Scram


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="heliosdb-nano-")
        cls.certificate, cls.key = make_certificate(cls.directory.name)
        text = f'[server]\nlisten = "0.0.0.0"\ntls_cert = "{cls.certificate}"\ntls_key = "{cls.key}"\n[auth]\nmethod = "scram-sha-256"\n'
        cls.server = ConfiguredServer(text + users(("alice", "admin"), ("bob", "read"))).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.directory.cleanup()

    def connect(self, **options):
        return self.server.connect("alice", **options)

    def test_versions_and_what_pg_stat_ssl_tells(self):
        for version in ["TLSv1.2", "TLSv1.3"]:
            with self.connect(sslmode="require", ssl_max_protocol_version=version) as db:
                row = db.execute("SELECT ssl, version, bits > 0 FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
                self.assertEqual(row, (True, version, True))
        with self.connect(sslmode="disable") as db, self.connect(sslmode="require"):
            rows = db.execute("SELECT ssl, cipher IS NULL, count(*) FROM pg_stat_ssl GROUP BY 1, 2 ORDER BY 1").fetchall()
            self.assertEqual(rows, [(False, True, 1), (True, False, 1)])
            self.assertEqual(db.execute("SHOW ssl").fetchone()[0], "on")
        with self.server.connect("bob", sslmode="disable") as db, self.connect(sslmode="require") as other:
            row = db.execute("SELECT ssl, version, cipher, bits FROM pg_stat_ssl WHERE pid = %s", [other.info.backend_pid]).fetchone()
            self.assertEqual(row, (None, None, None, None), "others' connections are not shown")

    def test_the_certificate_is_verified(self):
        self.connect(sslmode="verify-full", sslrootcert=self.certificate, host="localhost").close()
        other, _ = make_certificate(self.directory.name, "other")
        with self.assertRaisesRegex(psycopg.OperationalError, "certificate verify failed"):
            self.connect(sslmode="verify-ca", sslrootcert=other)

    def test_channel_binding(self):
        self.connect(sslmode="require", channel_binding="require").close()
        self.connect(sslmode="require", channel_binding="disable").close()
        with self.assertRaisesRegex(psycopg.OperationalError, "channel binding"):
            self.connect(sslmode="disable", channel_binding="require")

    def scram(self, **options):
        raw = Raw(self.server.port)
        self.addCleanup(raw.__exit__)
        self.assertEqual(raw.request_tls(), b"S")
        raw.start_up("alice")
        self.assertEqual(raw.mechanisms(), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        return Scram(raw, "secret", **options)

    def test_a_channel_that_is_another_s(self):
        bound = dict(mechanism="SCRAM-SHA-256-PLUS", header="p=tls-server-end-point,,")
        right = self.scram(**bound)
        right.channel = right.raw.certificate_hash()
        right.run()
        right.raw.until_ready()
        wrong = self.scram(**bound, channel=b"\0" * 32)
        wrong.run()
        error = wrong.raw.error()
        self.assertEqual((error["C"], error["M"]), ("28000", "SCRAM channel binding check failed"))

    def test_a_downgrade_is_found_out(self):
        downgraded = self.scram(header="y,,")
        downgraded.send_first()
        error = downgraded.raw.error()
        self.assertEqual((error["C"], error["M"]), ("28000", "SCRAM channel binding negotiation error"))
        for options, message in [(dict(header="p=tls-server-end-point,,"), "malformed SCRAM message"),
                                 (dict(header="n,,", mechanism="SCRAM-SHA-256-PLUS"), "malformed SCRAM message"),
                                 (dict(header="p=tls-unique,,", mechanism="SCRAM-SHA-256-PLUS"), "unsupported SCRAM channel-binding type")]:
            scram = self.scram(**options)
            scram.send_first()
            self.assertIn(message, scram.raw.error()["M"])

    def test_bytes_stuffed_in_before_the_answer(self):
        with Raw(self.server.port) as raw:
            raw.socket.sendall(SSL_REQUEST + b"\0\0\0\x08stuffing")
            self.assertTrue(is_closed_by_peer(raw.socket, 5))

    def test_direct_tls_wants_the_protocol_s_name(self):
        with Raw(self.server.port) as raw:
            raw.context.set_alpn_protocols(["postgresql"])
            raw.encrypt()
            raw.start_up("alice")
            self.assertIn("SCRAM-SHA-256-PLUS", raw.mechanisms())
        with Raw(self.server.port) as raw:
            raw.encrypt()
            self.assertTrue(is_closed_by_peer(raw.socket, 5))

    def test_large_results_and_cancelling(self):
        with self.connect(sslmode="require") as db:
            rows = db.execute("SELECT repeat('x', 1000) || g FROM generate_series(1, 20000) g").fetchall()
            self.assertEqual(sum(len(row[0]) for row in rows), 20_000_000 + sum(len(str(g)) for g in range(1, 20001)))
            text = "y" * 3_000_000
            self.assertEqual(db.execute("SELECT length(%s)", [text]).fetchone()[0], len(text))

    def test_garbage_in_place_of_a_handshake(self):
        for garbage in [b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x16" * 5000, b"GET / HTTP/1.1\r\n\r\n"]:
            with Raw(self.server.port) as raw:
                raw.socket.sendall(SSL_REQUEST)
                self.assertEqual(raw.socket.recv(1), b"S")
                try:
                    raw.socket.sendall(garbage)
                except ConnectionError:
                    continue  # cut off already
                self.assertTrue(is_closed_by_peer(raw.socket, 5))
        self.connect(sslmode="require").close()

    def test_files_that_are_wrong(self):
        directory = self.directory.name
        _, another_key = make_certificate(directory, "another")
        _, readable = make_certificate(directory, "readable")
        readable.chmod(0o644)
        for certificate, key, words in [(f"{directory}/none.crt", self.key, "none.crt: the certificate file cannot be read"),
                                        (self.certificate, f"{directory}/none.key", "none.key: the key file cannot be read"),
                                        (self.key, self.key, "there is no certificate in this file"),
                                        (self.certificate, another_key, "another.key: this key does not belong to the certificate"),
                                        (self.certificate, readable, "readable.key: this key can be read or written by others")]:
            done = subprocess.run([BINARY, "start", "--memory", "--port", "0", "--tls-cert", certificate, "--tls-key", key],
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        done = subprocess.run([BINARY, "start", "--memory", "--tls-cert", self.certificate], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("server.tls_key", done.stderr)

    def command(self, *arguments, host="localhost", user="alice", password="secret", sslmode=None, port=None):
        """Runs one of our own commands that are clients; its exit code and what it says."""
        place = ["--host", host, "--port", str(port or self.server.port), "--user", user]
        flags = ["--sslmode", sslmode] if sslmode else []
        environment = dict({name: value for name, value in os.environ.items() if not name.startswith("PG")}, PGPASSWORD=password,
                           HOME=self.directory.name)
        done = subprocess.run([BINARY, *arguments, *place, *flags], capture_output=True, text=True, timeout=30, env=environment)
        return done.returncode, done.stdout + done.stderr

    def test_our_own_commands(self):
        with self.connect() as db:
            db.execute("CREATE TABLE kept AS SELECT g, repeat('x', 500) AS t FROM generate_series(1, 5000) g")
        dump = ["dump", "--output", f"{self.directory.name}/tls.heliodump"]
        root = ["--sslrootcert", self.certificate]
        for mode, flags, code, words in [
                (None, [], 0, ""), ("disable", [], 0, ""), ("allow", [], 0, ""), ("prefer", [], 0, ""), ("require", [], 0, ""),
                ("verify-ca", root, 0, ""), ("verify-full", root, 0, ""),
                ("verify-full", [], 1, "root.crt"),
                ("verify-full", ["--sslrootcert", make_certificate(self.directory.name, "stranger")[0]], 1, "certificate verify failed"),
                ("sometimes", [], 2, "none of disable, allow")]:
            done, said = self.command(*dump, *flags, sslmode=mode)
            self.assertEqual(done, code, f"{mode}: {said}")
            self.assertIn(words, said)
        # The certificate is for localhost and 127.0.0.1 only.
        self.assertEqual(self.command(*dump, *root, host="127.0.0.2", sslmode="verify-ca")[0], 0)
        code, said = self.command(*dump, *root, host="127.0.0.2", sslmode="verify-full")
        self.assertEqual((code, "is not made out to" in said), (1, True), said)
        code, said = self.command("restore", "--clean", "--input", f"{self.directory.name}/tls.heliodump", sslmode="require")
        self.assertEqual(code, 0, said)
        with self.connect() as db:
            self.assertEqual(db.execute("SELECT count(*), sum(length(t)) FROM kept").fetchone(), (5000, 2_500_000))

    def test_our_own_commands_against_a_server_without_tls(self):
        with ConfiguredServer() as plain:
            for mode, code in [("prefer", 0), ("require", 1), ("verify-full", 1)]:
                done, said = self.command("dump", "--output", f"{self.directory.name}/plain.heliodump", "--sslrootcert", self.certificate,
                                          sslmode=mode, port=plain.port)
                self.assertEqual(done, code, said)
                if code:
                    self.assertIn("does not support TLS", said)

    def test_our_shell_over_tls(self):
        script = (f"\\c postgresql://alice:secret@localhost:{self.server.port}/heliosdb?sslmode=verify-full"
                  f"&sslrootcert={self.certificate}&channel_binding=require\n\\conninfo\nSELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n")
        done = subprocess.run([BINARY, "repl", "--memory"], input=script, capture_output=True, text=True, timeout=30)
        self.assertIn("with TLSv1.3", done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"\bt\b")


if __name__ == "__main__":
    unittest.main()
