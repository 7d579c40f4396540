#!/usr/bin/env python3
"""pgbench side by side, in one run: our server, PostgreSQL 15 as a RAM disk database, and a server of canned replies as the ceiling.

    bench.py --server target/release/heliosdb-nano [--scale 10] [--seconds 10] [--repeat 3]

PostgreSQL is set up in /dev/shm with fsync off, enough buffers, and trust, on a port of its own, and removed afterwards; as root it runs as
the user postgres. The three take turns within each workload, so that a neighbour's load hits all of them; the medians are compared. CPU is
the server's alone. Without PostgreSQL's server or without a C compiler the part is left out, and says so."""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from local_postgres import free_port, local_postgres, wait_for
from local_server import LocalServer, find_program

ROOT = pathlib.Path(__file__).resolve().parent.parent

HOT_ROW = "UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;"

MIXED = r"""
\set aid random(1, :naccounts)
\set percent random(1, 100)
\if :percent <= 80
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
\else
\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
\endif
"""

SERIALIZABLE = r"""
\set aid random(1, :naccounts)
\set bid random(1, :scale)
\set tid random(1, :scale * 10)
\set delta random(-5000, 5000)
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""

# name, pgbench's arguments, its script if not a built-in one
WORKLOADS = [
    ("select, prepared, 50 clients", ["-M", "prepared", "-S", "-c", "50", "-j", "2"], None),
    ("select, simple, 50 clients", ["-M", "simple", "-S", "-c", "50", "-j", "2"], None),
    ("select, prepared, 1 client", ["-M", "prepared", "-S", "-c", "1"], None),
    ("TPC-B, prepared, 20 clients", ["-M", "prepared", "-c", "20", "-j", "2"], None),
    ("TPC-B, extended, 20 clients", ["-M", "extended", "-c", "20", "-j", "2"], None),
    ("TPC-B, simple, 20 clients", ["-M", "simple", "-c", "20", "-j", "2"], None),
    ("TPC-B, SERIALIZABLE, 20 clients", ["-M", "prepared", "-c", "20", "-j", "2", "--max-tries", "1000"], SERIALIZABLE),
    ("hot row, prepared, 20 clients", ["-M", "prepared", "-c", "20", "-j", "2"], HOT_ROW),
    ("80 % reads, prepared, 50 clients", ["-M", "prepared", "-c", "50", "-j", "2"], MIXED),
    ("a connection each, 8 clients", ["-C", "-S", "-c", "8", "-j", "2"], None),
]

def cpu_of(pid):
    """Processor seconds of a process, its children that run and those that have ended."""
    total = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


class Target:
    """A server to be measured."""

    def __init__(self, name, port, pid, loads=True):
        self.name, self.port, self.pid, self.loads = name, port, pid, loads
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self.environment = dict(kept, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres", PGDATABASE="postgres")

    def pgbench(self, arguments):
        done = subprocess.run([find_program("pgbench"), *arguments], env=self.environment, text=True, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"pgbench on {self.name}: {done.stdout}{done.stderr}")
        return done.stdout

    def measure(self, arguments, seconds):
        """Transactions a second, and the server's CPU for one in microseconds."""
        before = cpu_of(self.pid)
        output = self.pgbench(["-n", "-T", str(seconds), *arguments])
        spent = cpu_of(self.pid) - before
        count = max(1, int(re.search(r"number of transactions actually processed: (\d+)", output)[1]))
        return float(re.search(r"tps = ([\d.]+)", output)[1]), spent / count * 1e6


@contextlib.contextmanager
def postgresql():
    """A PostgreSQL 15 in memory, or None."""
    with local_postgres() as found:
        if not found:
            print("PostgreSQL 15's server is not installed (Debian: postgresql-15); measuring without it")
        yield Target("PostgreSQL 15", *found) if found else None


@contextlib.contextmanager
def ceiling():
    """The server of canned replies, or None."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        print("no C compiler; measuring without the ceiling")
        yield None
        return
    with tempfile.TemporaryDirectory() as work:
        binary, port = pathlib.Path(work) / "ceiling", free_port()
        subprocess.run([compiler, "-O2", "-pthread", "-o", binary, ROOT / "bench" / "ceiling.c"], check=True)
        server = subprocess.Popen([binary, str(port), str(min(os.cpu_count() or 1, 8))])
        try:
            wait_for(port)
            yield Target("ceiling", port, server.pid, loads=False)
        finally:
            server.terminate()
            server.wait()


def run_workload(targets, arguments, options, script):
    """Measures all targets in turn and prints them beside each other. The ceiling's canned replies know the built-in scripts only."""
    targets = [target for target in targets if target.loads or not script]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        if script:
            file.write(script)
            file.flush()
            # A script has no built-in variables: :scale is pgbench's own only for its own scripts.
            variables = ["-D", f"scale={arguments.scale}", "-D", f"naccounts={arguments.scale * 100_000}"]
            options = [*options, *variables, "-f", file.name]
        measured = {target.name: [] for target in targets}
        for _ in range(arguments.repeat):
            for target in targets:
                measured[target.name].append(target.measure(options, arguments.seconds))
    mine = statistics.median(rate for rate, _ in measured[targets[0].name])
    for target in targets:
        rate = statistics.median(rate for rate, _ in measured[target.name])
        cpu = statistics.median(cpu for _, cpu in measured[target.name])
        ratio = "" if target is targets[0] else f"   ours is {mine / rate:.2f} of it"
        print(f"  {target.name:<14}{rate:>10,.0f} a second{cpu:>8.1f} us of server CPU each{ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", help="the workloads whose names contain this")
    arguments = parser.parse_args()
    with LocalServer(arguments.server) as ours, postgresql() as peer, ceiling() as canned:
        targets = [Target("HeliosDB Nano", ours.port, ours.process.pid)] + [target for target in (peer, canned) if target]
        for target in targets:
            if target.loads:
                started = time.monotonic()
                target.pgbench(["-i", "-q", "-s", str(arguments.scale)])
                print(f"{target.name}: loaded scale {arguments.scale} in {time.monotonic() - started:.1f} s", flush=True)
        for name, options, script in WORKLOADS:
            if arguments.only and arguments.only not in name:
                continue
            print(f"\n{name}", flush=True)
            run_workload(targets, arguments, options, script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
