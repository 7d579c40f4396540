#!/usr/bin/env python3
"""Dump and restore of pgbench's tables and of mixed rows, and COPY FROM, side by side with PostgreSQL 15's pg_dump and psql, in one run.

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


PARTS = ["speed", "copy", "beside"]


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
    output = side.run(find_program("pgbench"), "-n", "-M", "prepared", "-c", "4", "-T", str(seconds), "pgbench")
    return float(re.search(r"tps = ([\d.]+)", output)[1])


def beside_a_dump(ours, server, repeat):
    """pgbench's rate alone and while dumps are made one after another, in turns."""
    file = ours.directory / "beside.heliodump"
    dump = f"while :; do {server} dump --dbname pgbench --output {file} || exit 1; echo; done"
    lost, dumps = [], 0
    for _ in range(repeat):
        alone = pgbench_rate(ours, 5)
        loop = subprocess.Popen(["sh", "-c", dump], env=ours.environment, start_new_session=True, stdout=subprocess.PIPE)
        try:
            beside = pgbench_rate(ours, 5)
        finally:
            os.killpg(loop.pid, 15)
            dumps += loop.communicate()[0].count(b"\n")
        lost.append(100 * (1 - beside / alone))
        print(f"  pgbench: {alone:,.0f} a second alone, {beside:,.0f} while dumps run without a pause ({lost[-1]:.0f} % less)", flush=True)
    print(f"  median {statistics.median(lost):.0f} % less; a dump took {5 * repeat / max(dumps, 1):.1f} s meanwhile", flush=True)


# Rows as applications have them, of which no two are alike: what compresses well is not all there is.
MIXED = """CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, placed timestamptz NOT NULL, amount numeric(12,2), note text,
        tags text[], details jsonb, reference uuid, weight float8, paid boolean);
    SELECT setseed(0.5);
    INSERT INTO orders SELECT n, (random() * 100000)::int, timestamptz '2020-01-01 00:00Z' + random() * interval '5 years',
        (random() * 1000000)::numeric(12,2), md5(random()::text) || ' ' || md5(random()::text), ARRAY[md5(n::text), left(md5(random()::text), 5)],
        jsonb_build_object('key', md5(random()::text), 'count', (random() * 1000)::int, 'inner', jsonb_build_array(random(), null, true)),
        md5(random()::text)::uuid, random() * 100, random() < 0.7 FROM generate_series(1, {rows}) AS n;
    CREATE INDEX ON orders (customer);"""


def fill(ours, theirs, rows, directory):
    """The same rows on both sides: pgbench's, which are mostly filler, and mixed ones."""
    for side in (ours, theirs):
        side.fresh("pgbench")
        side.run(find_program("pgbench"), "-i", "-q", "-s", str(max(1, rows // 100_000)), "pgbench")
        side.fresh("mixed")
    theirs.sql("mixed", MIXED.format(rows=rows))
    theirs.run(PROGRAMS / "pg_dump", "-f", directory / "mixed.sql", "mixed")
    ours.run(find_program("psql"), "-X", "-q", "-o", os.devnull, "-d", "mixed", "-f", directory / "mixed.sql")


def compare(name, ways, repeat):
    """Runs each way in turn; the last is what the others are compared with."""
    measured = {way: [] for way in ways}
    for _ in range(repeat):
        for way, work in ways.items():
            measured[way].append(work())
    medians = {way: tuple(map(statistics.median, zip(*runs))) for way, runs in measured.items()}
    theirs_name, (their_seconds, their_cpu) = list(medians.items())[-1]
    print(name, flush=True)
    for way, (seconds, cpu) in medians.items():
        print(f"  {way:<20}{seconds:>7.3f} s, {cpu:>6.3f} s of CPU   {theirs_name} takes {their_seconds / seconds:>5.2f} times the time, "
              f"{their_cpu / max(cpu, 0.001):>5.2f} times the CPU", flush=True)


def dump_and_restore(ours, theirs, source, binary, directory, repeat):
    def restored(side, command):
        side.fresh("target")
        return side.timed(*command)

    psql = [find_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-d", "target", "-f"]
    compare(f"dump of {source}", {
        "ours": lambda: ours.timed(binary, "dump", "--dbname", source, "--output", directory / "d.heliodump"),
        "ours, SQL": lambda: ours.timed(binary, "dump", "--dbname", source, "--output", directory / "d.sql"),
        "pg_dump": lambda: theirs.timed(PROGRAMS / "pg_dump", "-f", directory / "theirs.sql", source),
    }, repeat)
    compare(f"restore of {source}", {
        "ours": lambda: restored(ours, [binary, "restore", "--dbname", "target", "--input", directory / "d.heliodump"]),
        "ours, SQL by psql": lambda: restored(ours, [*psql, directory / "d.sql"]),
        "psql": lambda: restored(theirs, [*psql, directory / "theirs.sql"]),
    }, repeat)
    for name in ("d.heliodump", "d.sql", "theirs.sql"):
        print(f"  {name:<20}{os.path.getsize(directory / name):>13,} bytes")


def copy_from(ours, theirs, directory, repeat):
    copied = directory / "accounts.copy"
    copied.write_text(theirs.sql("pgbench", "COPY pgbench_accounts TO STDOUT"))
    table = "CREATE TABLE accounts (aid int NOT NULL PRIMARY KEY, bid int, abalance int, filler char(84))"

    def loaded(side, definition):
        side.fresh("copied")
        side.sql("copied", definition)
        return side.timed(find_program("psql"), "-X", "-q", "-d", "copied", "-c", f"\\copy accounts FROM '{copied}'")

    for name, definition in [("with a primary key", table), ("without", table.replace(" PRIMARY KEY", ""))]:
        ways = {"ours": lambda: loaded(ours, definition), "PostgreSQL": lambda: loaded(theirs, definition)}
        compare(f"COPY FROM of pgbench's accounts, {name}", ways, repeat)
    copied.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program under test")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="heliosdb-dump-") as directory, local_postgres() as found, \
            LocalServer(arguments.server) as server:
        if not found:
            raise SystemExit("PostgreSQL 15's server is not installed (Debian: postgresql-15); there is nothing to compare with")
        directory = pathlib.Path(directory)
        ours, theirs = Side("ours", server.port, server.process.pid, directory), Side("PostgreSQL 15", *found, directory)
        fill(ours, theirs, arguments.rows, directory)
        print(f"{arguments.rows:,} rows each", flush=True)
        if "speed" in arguments.only:
            for source in ("pgbench", "mixed"):
                dump_and_restore(ours, theirs, source, arguments.server, directory, arguments.repeat)
        if "copy" in arguments.only:
            copy_from(ours, theirs, directory, arguments.repeat)
        if "beside" in arguments.only:
            beside_a_dump(ours, arguments.server, arguments.repeat)


if __name__ == "__main__":
    main()
