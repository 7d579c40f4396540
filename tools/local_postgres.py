"""A PostgreSQL 15 of our own for the length of a test or a measurement: in memory, on a free port, removed afterwards."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 1GB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
checkpoint_timeout = 30min
jit = off
max_parallel_workers_per_gather = 0
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(300):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@contextlib.contextmanager
def local_postgres(buffers="1GB"):
    """Its port and process id, or None where PostgreSQL's server is not installed. As root it runs as the user postgres."""
    if not (PROGRAMS / "postgres").exists():
        yield None
        return
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    account = pwd.getpwnam(user)
    as_user = dict(user=account.pw_uid, group=account.pw_gid, extra_groups=[]) if os.geteuid() == 0 else {}
    home = pathlib.Path(tempfile.mkdtemp(prefix="heliosdb-bench-", dir="/dev/shm"))
    data, port = home / "data", free_port()
    server = None
    try:
        if as_user:
            os.chown(home, account.pw_uid, account.pw_gid)
        subprocess.run([PROGRAMS / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
                       check=True, stdout=subprocess.DEVNULL, cwd=home, **as_user)
        with open(data / "postgresql.conf", "a") as configuration:
            configuration.write(SETTINGS + f"shared_buffers = {buffers}\nport = {port}\n")
        server = subprocess.Popen([PROGRAMS / "postgres", "-D", data], cwd=home, stderr=subprocess.DEVNULL, **as_user)
        wait_for(port)
        time.sleep(0.5)
        yield port, server.pid
    finally:
        if server:
            server.send_signal(signal.SIGINT)
            server.wait(30)
        shutil.rmtree(home)
