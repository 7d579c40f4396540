#!/usr/bin/env python3
"""Dump, restore and COPY FROM of pgbench's tables side by side with PostgreSQL 15's pg_dump and psql, in one run.

    bench_dump.py --server target/release/heliosdb-nano [--rows 1000000] [--repeat 3]

PostgreSQL is set up in /dev/shm with fsync off, on a port of its own, and removed afterwards. The two take turns, so that a neighbour's load
hits both; medians are compared, of the time and of the CPU that client and server took together. Files go to /dev/shm too. Last, pgbench runs beside our dump: what it loses of its throughput."""
import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from bench import cpu_of
from local_postgres import PROGRAMS, local_postgres
from local_server import LocalServer, find_program


class Side:
    """A server and the programs that dump it and load into it."""

    def __init__(self, name, port, pid, directory):
        self.name, self.pid, self.directory = name, pid, directory
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self.environment = dict(kept, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres")

    def run(self, *command):
        done = subprocess.run([str(word) for word in command], env=self.environment, text=True, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: {command}: {done.stderr}")
        return done.stdout

    def sql(self, database, *statements):
        arguments = [word for statement in statements for word in ("-c", statement)]
        return self.run(find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments)

    def fresh(self, name):
        self.sql("postgres", f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return name

    def cpu(self):
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cpu_of(self.pid) + clients.ru_utime + clients.ru_stime

    def timed(self, *command):
        """Seconds, and seconds of CPU."""
        started, spent = time.perf_counter(), self.cpu()
        self.run(*command)
        return time.perf_counter() - started, self.cpu() - spent


def pgbench_rate(side, seconds):
    output = side.run(find_program("pgbench"), "-n", "-M", "prepared", "-c", "4", "-T", str(seconds), "source")
    return float(re.search(r"tps = ([\d.]+)", output)[1])


def beside_a_dump(ours, server):
    """pgbench's rate alone and while dumps are made one after another."""
    alone = pgbench_rate(ours, 6)
    dump = ["nice", "-n", "0", str(server), "dump", "--dbname", "source", "--output", str(ours.directory / "beside.heliodump")]
    loop = subprocess.Popen(["sh", "-c", f"while :; do {' '.join(dump)} || exit 1; done"], env=ours.environment, start_new_session=True)
    try:
        beside = pgbench_rate(ours, 6)
    finally:
        os.killpg(loop.pid, 15)
        loop.wait()
    print(f"  pgbench: {alone:,.0f} a second alone, {beside:,.0f} while dumps run without a pause ({100 * (1 - beside / alone):.0f} % less)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program under test")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="heliosdb-dump-") as directory, local_postgres() as found, \
            LocalServer(arguments.server) as server:
        if not found:
            raise SystemExit("PostgreSQL 15's server is not installed (Debian: postgresql-15); there is nothing to compare with")
        directory = pathlib.Path(directory)
        ours, theirs = Side("ours", server.port, server.process.pid, directory), Side("PostgreSQL 15", *found, directory)
        scale = max(1, arguments.rows // 100_000)
        for side in (ours, theirs):
            side.fresh("source")
            side.run(find_program("pgbench"), "-i", "-q", "-s", str(scale), "source")
            side.sql("source", f"COPY pgbench_accounts TO STDOUT")
        copied = directory / "accounts.copy"
        copied.write_text(theirs.sql("source", "COPY pgbench_accounts TO STDOUT"))
        binary = arguments.server
        table = "CREATE TABLE accounts (aid int NOT NULL PRIMARY KEY, bid int, abalance int, filler char(84))"
        bare = table.replace(" PRIMARY KEY", "")
        load = f"\\copy accounts FROM '{copied}'"

        def loaded(side, definition):
            side.fresh("copied")
            side.sql("copied", definition)
            return side.timed(find_program("psql"), "-X", "-q", "-d", "copied", "-c", load)

        def restored(side, command):
            side.fresh("target")
            return side.timed(*command)

        dump = {
            "ours": lambda: ours.timed(binary, "dump", "--dbname", "source", "--output", directory / "d.heliodump"),
            "ours, SQL": lambda: ours.timed(binary, "dump", "--dbname", "source", "--output", directory / "d.sql"),
            "pg_dump": lambda: theirs.timed(PROGRAMS / "pg_dump", "-f", directory / "theirs.sql", "source"),
        }
        psql = [find_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-d", "target", "-f"]
        restore = {
            "ours": lambda: restored(ours, [binary, "restore", "--dbname", "target", "--input", directory / "d.heliodump"]),
            "ours, SQL by psql": lambda: restored(ours, [*psql, directory / "d.sql"]),
            "psql": lambda: restored(theirs, [*psql, directory / "theirs.sql"]),
        }
        copy = {"ours": lambda: loaded(ours, table), "PostgreSQL": lambda: loaded(theirs, table)}
        without_key = {"ours": lambda: loaded(ours, bare), "PostgreSQL": lambda: loaded(theirs, bare)}
        for name, ways in [("dump", dump), ("restore", restore), ("COPY FROM, with a primary key", copy), ("COPY FROM, without", without_key)]:
            measured = {way: [] for way in ways}
            for _ in range(arguments.repeat):
                for way, work in ways.items():
                    measured[way].append(work())
            medians = {way: tuple(map(statistics.median, zip(*runs))) for way, runs in measured.items()}
            theirs_name, (their_seconds, their_cpu) = list(medians.items())[-1]
            print(f"{name}, {scale * 100_000:,} rows", flush=True)
            for way, (seconds, cpu) in medians.items():
                print(f"  {way:<20}{seconds:>7.3f} s, {cpu:>6.3f} s of CPU   {theirs_name} takes {their_seconds / seconds:>5.2f} times the time, "
                      f"{their_cpu / max(cpu, 0.001):>5.2f} times the CPU", flush=True)
        for name in ("d.heliodump", "d.sql", "theirs.sql"):
            print(f"  {name:<20}{os.path.getsize(directory / name):>13,} bytes")
        beside_a_dump(ours, binary)


if __name__ == "__main__":
    main()
