"""A server of a test's own, with a configuration of the test's own, on a free port of this machine."""
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import time

import psycopg

BINARY = os.environ.get("HELIOSDB_NANO")


def hashed(password, scram=True):
    """What `password_hash` of a user of the configuration is."""
    command = [BINARY, "hash-password", *(["--scram"] if scram else [])]
    return subprocess.run(command, input=password, text=True, capture_output=True, check=True).stdout.strip()


def users(*names_and_roles, password="secret", scram=True):
    """The configuration's text for users that share a password."""
    verifier = hashed(password, scram)
    return "".join(f'[[auth.users]]\nusername = "{name}"\npassword_hash = "{verifier}"\nroles = ["{role}"]\n'
                   for name, role in names_and_roles)


def make_certificate(directory, name="server"):
    """A certificate for localhost and its key, signed by itself; their paths."""
    certificate, key = pathlib.Path(directory, f"{name}.crt"), pathlib.Path(directory, f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


class ConfiguredServer:
    """Runs from `start` to `stop`; `directory` is its own, with `config.toml` in it. Also a context manager."""

    def __init__(self, configuration="", *flags, environment=None, directory=None):
        self.scratch = None if directory else tempfile.TemporaryDirectory(prefix="heliosdb-nano-")
        self.directory = pathlib.Path(directory or self.scratch.name)
        self.file = self.directory / "config.toml"
        self.file.write_text(configuration.replace("DIRECTORY", str(self.directory)))
        self.flags = [str(flag) for flag in flags]
        self.environment = environment or {}
        self.process = None

    def start(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "HELIOSDB_"))}
        self.log = open(self.directory / "stderr", "w+")
        command = [BINARY, "start", "--memory", "--config", str(self.file), *self.flags]
        if "--port" not in self.flags and "port" not in re.findall(r"(?m)^\w+", self.file.read_text()):
            command += ["--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=self.directory,
                                        env=dict(kept, **self.environment))
        for line in self.process.stdout:
            if found := re.search(r"postgresql://[^@]+@(.*):(\d+)/", line):
                self.host, self.port = found.group(1).strip("[]"), int(found.group(2))
                return self
        code = self.process.wait(10)
        raise RuntimeError(f"the server did not start ({code}): {self.errors()}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        code = None
        if self.process:
            code = self.process.returncode
            self.process.stdout.close()
            self.log.close()
        if self.scratch:
            self.scratch.cleanup()
        return code

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def connect(self, user="postgres", password="secret", dbname="heliosdb", **options):
        options.setdefault("host", "127.0.0.1")
        options.setdefault("autocommit", True)
        options.setdefault("connect_timeout", 10)
        return psycopg.connect(port=self.port, user=user, password=password, dbname=dbname, **options)

    def errors(self):
        """What it has written to stderr so far."""
        return (self.directory / "stderr").read_text()

    def rewrite(self, configuration):
        """Another configuration, in force for the server after SIGHUP."""
        self.file.write_text(configuration.replace("DIRECTORY", str(self.directory)))

    def reload(self, wait_for="reloaded"):
        """SIGHUP, and waits for the line that says what came of it; gives the lines of the log since."""
        before = len(self.errors())
        self.process.send_signal(signal.SIGHUP)
        return wait_until(lambda: self.errors()[before:] if wait_for in self.errors()[before:] else None)

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the server has gone")


def wait_until(condition, seconds=10):
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("what was waited for did not happen")


def is_closed_by_peer(sock, seconds):
    """Whether the other side closes a socket within so many seconds, whatever it says before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([sock], [], [], 0.05)[0]:
            try:
                if not sock.recv(65536):
                    return True
            except ConnectionError:
                return True
    return False
