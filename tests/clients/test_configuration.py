"""Every key of the configuration changes what the server does.

A key that is declared in crates/cli/src/configuration.rs and has no probe here fails `test_every_key_has_a_probe`, which names it. To add one,
write a function below and put `@probes("section.key")` before it: it gets the test, starts servers with `configured(...)`, and asserts that
they behave as with the value given and not as with another.
"""
import contextlib
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import time
import unittest
import urllib.request

import psycopg
from configured_server import BINARY, ConfiguredServer, is_closed_by_peer, make_certificate, users, wait_until
from raw_protocol import Raw

PROBES = {}


def probes(*keys):
    """Declares that a function proves what these keys do."""
    def declare(function):
        for key in keys:
            assert key not in PROBES, key
            PROBES[key] = function
        return function
    return declare


def configured(text="", *flags):
    return ConfiguredServer(text, *flags)


@contextlib.contextmanager
def refused(test, words, sqlstate=None):
    with test.assertRaises(psycopg.Error) as caught:
        yield
    test.assertIn(words, str(caught.exception))
    if sqlstate:
        test.assertEqual(caught.exception.sqlstate, sqlstate)


def shown(server, setting):
    with server.connect() as db:
        return db.execute(f"SHOW {setting}").fetchone()[0]


@probes("server.listen")
def listen(test):
    with configured('[server]\nlisten = "127.0.0.2"\n') as server:
        server.connect(host="127.0.0.2").close()
        with refused(test, "refused"):
            server.connect(host="127.0.0.1")
        with server.connect(host="127.0.0.2") as db:
            test.assertEqual(db.execute("SHOW listen_addresses").fetchone()[0], "127.0.0.2")


@probes("server.port")
def port(test):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with configured(f"[server]\nport = {number}\n") as server:
        test.assertEqual(server.port, number)
        test.assertEqual(shown(server, "port"), str(number))


@probes("server.max_connections")
def max_connections(test):
    with configured("[server]\nmax_connections = 2\n") as server, server.connect(), server.connect():
        with refused(test, "too many connections"):
            server.connect()
    with configured() as server, server.connect(), server.connect(), server.connect():
        test.assertEqual(shown(server, "max_connections"), "100")


@probes("server.socket_dir")
def socket_dir(test):
    with configured('[server]\nsocket_dir = "DIRECTORY"\n') as server:
        test.assertTrue(stat.S_ISSOCK(os.stat(server.directory / f".s.PGSQL.{server.port}").st_mode))
        server.connect(host=str(server.directory)).close()
    with configured() as server:
        test.assertFalse([name for name in os.listdir(server.directory) if name.startswith(".s")])


@probes("server.tls_cert", "server.tls_key")
def tls(test):
    with configured() as server, refused(test, "does not support SSL"):
        server.connect(sslmode="require")
    directory = pathlib.Path(test.scratch())
    certificate, key = make_certificate(directory)
    _, another = make_certificate(directory, "another")
    with configured(f'[server]\ntls_cert = "{certificate}"\ntls_key = "{key}"\n') as server:
        server.connect(sslmode="verify-full", host="localhost", sslrootcert=certificate).close()
    with test.assertRaisesRegex(RuntimeError, "does not belong"):
        with configured(f'[server]\ntls_cert = "{certificate}"\ntls_key = "{another}"\n'):
            pass


@probes("server.http_port")
def http_port(test):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with configured(f"[server]\nhttp_port = {number}\n") as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/health", timeout=10) as answer:
            test.assertEqual(answer.status, 200)
        server.connect().close()
    with configured(), test.assertRaises(OSError):
        socket.create_connection(("127.0.0.1", number), timeout=1)


@probes("session.timeout_secs")
def session_timeout(test):
    with configured("[session]\ntimeout_secs = 1\n") as server, server.connect() as db:
        time.sleep(1.5)
        with refused(test, "idle-session timeout", "57P05"):
            db.execute("SELECT 1")


@probes("session.max_sessions_per_user")
def sessions_per_user(test):
    with configured("[session]\nmax_sessions_per_user = 1\n") as server, server.connect("ann"):
        with refused(test, "connection limit exceeded for user 'ann'"):
            server.connect("ann")
        server.connect("bea").close()


@probes("resource_quotas.connection_limit_per_user")
def connection_limit(test):
    with configured("[session]\nmax_sessions_per_user = 5\n[resource_quotas]\nconnection_limit_per_user = 1\n") as server, server.connect("ann"):
        with refused(test, "connection limit exceeded for user 'ann'"):
            server.connect("ann")


@probes("session.default_isolation_level")
def isolation(test):
    for word, level in [("SERIALIZABLE", "serializable"), ("REPEATABLE_READ", "repeatable read"), ("READ_COMMITTED", "read committed")]:
        with configured(f'[session]\ndefault_isolation_level = "{word}"\n') as server:
            test.assertEqual(shown(server, "transaction_isolation"), level)


@probes("auth.method")
def method(test):
    for name, scram, request in [("password", False, 3), ("scram-sha-256", True, 10)]:
        with configured(f'[auth]\nmethod = "{name}"\n' + users(("ann", "read"), scram=scram)) as server:
            server.connect("ann").close()
            with refused(test, "password authentication failed"):
                server.connect("ann", "wrong")
            with Raw(server.port) as raw:
                raw.start_up("ann")
                kind, body = raw.message()
                test.assertEqual((kind, int.from_bytes(body[:4], "big")), (b"R", request))
    with configured() as server:
        server.connect("anybody", "anything").close()


@probes("auth.timeout_secs")
def authentication_timeout(test):
    with configured("[auth]\ntimeout_secs = 1\n") as server, Raw(server.port) as raw:
        started = time.monotonic()
        test.assertTrue(is_closed_by_peer(raw.socket, 5))
        test.assertGreater(time.monotonic() - started, 0.9)
        test.assertEqual(shown(server, "authentication_timeout"), "1s")
    with configured() as server, Raw(server.port) as raw:
        test.assertFalse(is_closed_by_peer(raw.socket, 1.5))


def own_address():
    """An address of this machine that is not loopback; None without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


@probes("auth.allow_remote_cleartext")
def remote_cleartext(test):
    address = own_address()
    if address is None:
        test.skipTest("this machine has no address that is not loopback")
    text = '[server]\nlisten = "0.0.0.0"\n[auth]\nmethod = "password"\n'
    with configured(text + users(("ann", "read"), scram=False)) as server:
        with refused(test, "a password in clear text is not accepted"):
            server.connect("ann", host=address)
        server.connect("ann").close()
    with configured(text + "allow_remote_cleartext = true\n" + users(("ann", "read"), scram=False)) as server:
        server.connect("ann", host=address).close()


@probes("resource_quotas.transaction_timeout_secs")
def transaction_timeout(test):
    with configured("[resource_quotas]\ntransaction_timeout_secs = 1\n") as server, server.connect() as db:
        db.execute("BEGIN")
        time.sleep(1.5)
        with refused(test, "transaction timeout", "25P04"):
            db.execute("SELECT 1")


@probes("resource_quotas.memory_limit_per_user")
def memory_per_user(test):
    hungry = "SELECT count(*) FROM (SELECT DISTINCT g FROM generate_series(1, 400000) g) x"
    with configured("[resource_quotas]\nmemory_limit_per_user = 4000000\n") as server, server.connect("ann") as db:
        with refused(test, "memory limit exceeded for user 'ann'", "53200"):
            db.execute(hungry)
    with configured() as server, server.connect("ann") as db:
        test.assertEqual(db.execute(hungry).fetchone()[0], 400000)


@probes("resource_quotas.memory_limit")
def memory(test):
    hungry = "SELECT count(*) FROM (SELECT DISTINCT g FROM generate_series(1, 1500000) g) x"
    with configured('[resource_quotas]\nmemory_limit = "67108864"\n') as server, server.connect("ann") as db:
        with refused(test, "memory", "53200"):
            db.execute(hungry)
    with configured() as server, server.connect("ann") as db:
        test.assertEqual(db.execute(hungry).fetchone()[0], 1500000)


def lock_timeout(test, text):
    with configured(text) as server, server.connect() as one, server.connect() as other:
        one.execute("CREATE TABLE t (a int)"), one.execute("INSERT INTO t VALUES (1)")
        one.execute("BEGIN"), one.execute("UPDATE t SET a = 2")
        with refused(test, "lock timeout exceeded", "55P03"):
            other.execute("UPDATE t SET a = 3")
        one.execute("ROLLBACK")


@probes("resource_quotas.lock_timeout_ms")
def lock_timeout_of_quotas(test):
    lock_timeout(test, "[resource_quotas]\nlock_timeout_ms = 100\n")


@probes("locks.timeout_ms")
def lock_timeout_of_locks(test):
    lock_timeout(test, "[locks]\ntimeout_ms = 100\n")


@probes("dump.on_shutdown", "dump.file")
def dump_on_shutdown(test):
    directory = pathlib.Path(test.scratch())
    for text, name in [(f'file = "{directory}/last.sql"\non_shutdown = true\n', "last.sql"),
                       (f'file = "{directory}/last.heliodump"\non_shutdown = true\n', "last.heliodump"),
                       ("on_shutdown = false\n", "backup.heliodump")]:
        server = ConfiguredServer("[dump]\n" + text, directory=directory).start()
        with server.connect() as db:
            db.execute("CREATE TABLE kept (a int)")
        server.stop()
        test.assertEqual((directory / name).exists(), "true" in text, name)
    test.assertIn("CREATE TABLE", (directory / "last.sql").read_text())
    test.assertEqual((directory / "last.heliodump").read_bytes()[:8], b"HELIODMP")


@probes("dump.warn_on_dirty_shutdown")
def dirty_warning(test):
    for flag in ["true", "false"]:
        directory = test.scratch()
        server = ConfiguredServer(f"[dump]\nwarn_on_dirty_shutdown = {flag}\n", directory=directory).start()
        with server.connect() as db:
            db.execute("CREATE TABLE t AS SELECT 1 AS a")
        server.stop()
        test.assertEqual("Dirty state: YES" in (pathlib.Path(directory) / "stderr").read_text(), flag == "true")


@probes("dump.schedule", "dump.keep")
def dump_schedule(test):
    # The schedule's unit is a minute: this server has been waiting since the tests began.
    names = wait_until(lambda: [name for name in os.listdir(test.scheduled.directory)
                                if re.fullmatch(r"scheduled-(?!2001)\d{8}T\d{6}Z\.sql", name)], 75)
    kept = wait_until(lambda: (found := sorted(name for name in os.listdir(test.scheduled.directory)
                                               if name.startswith("scheduled-"))) and len(found) <= 2 and found)
    test.assertEqual([name for name in kept if "2001" in name], ["scheduled-20010103T000000Z.sql"], "the older ones are gone")
    test.assertLessEqual(set(names), set(kept))


@probes("audit.enabled", "audit.file", "audit.log_statements", "audit.max_bytes", "audit.keep")
def audit(test):
    with configured() as server:
        server.connect().close()
        test.assertFalse([name for name in os.listdir(server.directory) if "audit" in name])
    for scope, count in [("none", 0), ("ddl", 1), ("mod", 2), ("all", 3)]:
        with configured(f'[audit]\nenabled = true\nfile = "DIRECTORY/{scope}.trail"\nlog_statements = "{scope}"\n') as server:
            with server.connect() as db:
                db.execute("CREATE TABLE t (a int)"), db.execute("INSERT INTO t VALUES (1)"), db.execute("SELECT a FROM t")
            path = server.directory / f"{scope}.trail"
            wait_until(lambda: "disconnect" in path.read_text())
            test.assertEqual(path.read_text().count('"event":"statement"'), count, scope)
    for keep in [1, 3]:
        with configured(f'[audit]\nenabled = true\nfile = "DIRECTORY/a"\nmax_bytes = 2000\nkeep = {keep}\n') as server:
            with server.connect() as db:
                for _ in range(100):
                    db.execute("SELECT 1")
            wait_until(lambda: (server.directory / "a").exists() and "disconnect" in (server.directory / "a").read_text())
            test.assertEqual(sorted(name for name in os.listdir(server.directory) if name.startswith("a.")),
                             [f"a.{number}" for number in range(1, keep + 1)])


@probes("logging.level")
def log_level(test):
    for level, tells in [("error", False), ("info", True)]:
        with configured(f'[logging]\nlevel = "{level}"\n[auth]\ntimeout_secs = 1\n') as server, Raw(server.port) as raw:
            test.assertTrue(is_closed_by_peer(raw.socket, 5))
            test.assertEqual("cut off" in server.errors(), tells)


@probes("logging.slow_query_ms")
def slow_queries(test):
    for limit_ms, tells in [(100, True), (0, False)]:
        with configured(f"[logging]\nslow_query_ms = {limit_ms}\n") as server:
            with server.connect() as db:
                db.execute("SELECT 1, pg_sleep(0)"), db.execute("SELECT 2, pg_sleep(0.3)")
            if tells:
                wait_until(lambda: "SELECT 2, pg_sleep" in server.errors())
            test.assertNotIn("SELECT 1, pg_sleep", server.errors())
            test.assertEqual("SELECT 2, pg_sleep" in server.errors(), tells)


@probes("logging.format")
def log_format(test):
    for form in ["text", "json"]:
        with configured(f'[logging]\nlevel = "info"\nformat = "{form}"\n') as server:
            line = server.reload().splitlines()[-1]
            test.assertEqual(line.startswith("{"), form == "json", line)
            if form == "json":
                test.assertEqual(json.loads(line)["level"], "INFO")


def declared_keys():
    """What `config show` shows without a file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELIOSDB_")}
    done = subprocess.run([BINARY, "config", "show"], capture_output=True, text=True, check=True, cwd="/", env=dict(kept, HOME="/nonexistent"))
    return set(re.findall(r"(?m)^(\w+\.\w+) = ", done.stdout))


@unittest.skipUnless(BINARY, "it starts a server of ours")
class Configuration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scheduled = ConfiguredServer('[dump]\nschedule = "* * * * *"\nfile = "DIRECTORY/scheduled.sql"\nkeep = 2\n')
        cls.addClassCleanup(cls.scheduled.stop)
        for day in range(1, 4):
            (cls.scheduled.directory / f"scheduled-2001010{day}T000000Z.sql").write_text("")
        cls.scheduled.start()

    def scratch(self):
        import tempfile
        directory = tempfile.TemporaryDirectory(prefix="heliosdb-nano-")
        self.addCleanup(directory.cleanup)
        return directory.name

    def test_every_key_has_a_probe(self):
        declared = declared_keys()
        self.assertGreater(len(declared), 25)
        self.assertEqual(sorted(declared - set(PROBES)), [], "declared keys without a probe in tests/clients/test_configuration.py")
        self.assertEqual(sorted(set(PROBES) - declared), [], "probes of keys that are not declared")


def add_probe_tests():
    """A test for each probe; those that must wait come last."""
    for function in dict.fromkeys(PROBES.values()):
        keys = [key for key, probe in PROBES.items() if probe is function]
        last = "z_" if "dump.schedule" in keys else ""
        name = f"test_probe_{last}{'_'.join(keys).replace('.', '_')}"
        setattr(Configuration, name, lambda self, function=function: function(self))


add_probe_tests()

if __name__ == "__main__":
    unittest.main()
