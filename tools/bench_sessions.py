#!/usr/bin/env python3
"""How many sessions a server carries: memory of idle ones, speed of active ones among them, connects a second.

    bench_sessions.py --server target/release/heliosdb-nano [--idle 10000] [--active 100] [--seconds 5]

The idle sessions are opened by hand-written start-up packets, so that the client costs little. The active ones are pgbench's. Each figure
is printed beside its target; the exit code is 1 when one is missed."""
import argparse
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from local_server import LocalServer, find_program

MB = 1 << 20


def startup_packet(user, database):
    body = struct.pack("!i", 196608) + b"".join(
        word.encode() + b"\0" for word in ["user", user, "database", database]) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


PACKET = startup_packet("postgres", "heliosdb")


def connect(path):
    """A session over the Unix socket, ready for queries."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(path)
    client.sendall(PACKET)
    answer = b""
    while not answer.endswith(b"Z\0\0\0\5I"):
        more = client.recv(4096)
        if not more:
            raise SystemExit(f"the server refused a session: {answer!r}")
        answer += more
    return client


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"^VmRSS:\s+(\d+)", status.read(), re.MULTILINE).group(1)) * 1024


def speed(server, clients, seconds):
    """Point queries a second."""
    environment = dict(os.environ, PGHOST=server.socket_dir, PGPORT=str(server.port), PGUSER="postgres", PGDATABASE="heliosdb")
    pgbench = find_program("pgbench")
    done = subprocess.run([pgbench, "-n", "-S", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds)],
                          env=environment, text=True, capture_output=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(done.stderr)
    return float(found.group(1))


class Figures:
    def __init__(self):
        self.all_met = True

    def show(self, name, figure, unit, target, is_met):
        self.all_met &= is_met
        print(f"{name:<48} {figure:>12,.0f} {unit:<10} target {target:<12} {'met' if is_met else 'MISSED'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--active", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < arguments.idle + 200:
        raise SystemExit(f"{arguments.idle} sessions need more open files than the {hard} allowed here (ulimit -Hn)")
    figures = Figures()
    with LocalServer(arguments.server, max_connections=arguments.idle + arguments.active + 50) as server:
        pid, path = server.process.pid, f"{server.socket_dir}/.s.PGSQL.{server.port}"
        connect(path).close()
        base = resident(pid)
        figures.show("base resident memory", base / MB, "MB", "<= 30", base <= 30 * MB)
        count, started = 2000, time.monotonic()
        for _ in range(count):
            connect(path).close()
        rate = count / (time.monotonic() - started)
        figures.show("connects a second, one after the other", rate, "/s", ">= 1000", rate >= 1000)
        environment = dict(os.environ, PGHOST=server.socket_dir, PGPORT=str(server.port), PGUSER="postgres", PGDATABASE="heliosdb")
        subprocess.run([find_program("pgbench"), "-i", "-q", "-s", "1"], env=environment, capture_output=True, check=True)
        alone = max(speed(server, arguments.active, arguments.seconds) for _ in range(2))
        before = resident(pid)
        idle = [connect(path) for _ in range(arguments.idle)]
        after = resident(pid)
        each = (after - before) / arguments.idle
        figures.show(f"resident memory with {arguments.idle:,} idle sessions", after / MB, "MB", "<= 1024", after <= 1024 * MB)
        figures.show("an idle session", each / 1024, "KB", "<= 100", each <= 100 * 1024)
        among = max(speed(server, arguments.active, arguments.seconds) for _ in range(2))
        share = 100 * among / alone
        figures.show(f"point queries a second, {arguments.active} clients alone", alone, "/s", "", True)
        figures.show("the same among the idle ones", among, "/s", "", True)
        figures.show("of the speed without them", share, "%", ">= 80", share >= 80)
        for client in idle:
            client.close()
    sys.exit(0 if figures.all_met else 1)


if __name__ == "__main__":
    main()
