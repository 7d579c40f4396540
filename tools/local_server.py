"""A server of ours for the length of a test run: on a free port of the loopback address, ended with SIGTERM."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class ServerDied(Exception):
    """The server ended, or never came up."""


class LocalServer:
    """Starts `heliosdb-nano start --memory` and waits until it says that it is ready. A context manager."""

    def __init__(self, binary, max_connections=400):
        self.binary = binary
        self.max_connections = max_connections
        self.host = "127.0.0.1"
        self.port = None
        self.ready_ms = None

    def __enter__(self):
        # What the server prints to stderr (a panic's message) goes to a file, which is shown when something fails.
        self.log = tempfile.NamedTemporaryFile(mode="w+", prefix="heliosdb-nano-", suffix=".log")
        self.socket_dir = tempfile.mkdtemp(prefix="heliosdb-nano-")
        started = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "start", "--memory", "--port", "0", "--socket-dir", self.socket_dir,
             "--max-connections", str(self.max_connections)],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ServerDied(f"the server did not start:\n{self.errors()}")
            if "is ready" in line:
                self.ready_ms = (time.monotonic() - started) * 1000
            found = re.search(r"postgresql://[^@]+@[^/]*:(\d+)/", line)
            if found:
                self.port = int(found.group(1))
                return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()
        for name in os.listdir(self.socket_dir):
            os.unlink(os.path.join(self.socket_dir, name))
        os.rmdir(self.socket_dir)

    def stop(self):
        """Ends the server as a user would; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def errors(self):
        """What the server has written to stderr."""
        self.log.seek(0)
        return self.log.read()

    def check_alive(self):
        """Raises unless the server runs and accepts connections."""
        if self.process.poll() is not None:
            raise ServerDied(f"the server ended with {self.process.returncode}:\n{self.errors()}")
        socket.create_connection((self.host, self.port), timeout=10).close()

    def environment(self, database="postgres"):
        """libpq's variables for this server, without any the user has set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return dict(kept, PGHOST=self.host, PGPORT=str(self.port), PGUSER="postgres", PGDATABASE=database,
                    PGSOCKETDIR=self.socket_dir, PGCONNECT_TIMEOUT="10")

    def cpu_seconds(self):
        """Processor time the server has used so far."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def find_program(name):
    """Where a client program of PostgreSQL is: on the path, in Debian's own place for it, or where tools/install.sh has put it."""
    installed = pathlib.Path(sys.prefix).parent / "postgresql"
    for place in ("/", installed):
        found = shutil.which(name) or max(pathlib.Path(place).glob(f"usr/lib/postgresql/*/bin/{name}"), default=None)
        if found:
            return str(found)
    raise SystemExit(f"{name} is missing: run tools/install.sh clients target/client-venv")
