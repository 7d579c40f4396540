#!/usr/bin/env python3
"""Starts a server and exercises it with the clients that people use: psql, pgbench, psycopg, psycopg2, and hostile bytes.

    client_tests.py --server target/ci/heliosdb-nano                all of it
    client_tests.py --server ... --only psql drivers                some of it
    client_tests.py --only drivers --port 55432 --host /tmp/sock    the same tests against another server, a real PostgreSQL for instance
"""
import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from local_server import LocalServer, find_program

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITES = pathlib.Path(os.environ.get("HELIOSDB_CONFORMANCE", ROOT.parent / "shared" / "conformance"))


class Failed(Exception):
    """A check that did not hold; its text is for people."""


def run(command, environment, **options):
    return subprocess.run([str(word) for word in command], env=environment, text=True, capture_output=True, **options)


def psql(environment, script, *arguments):
    """Runs a script; errors and results in one text, in the order in which they came."""
    command = [find_program("psql"), "-X", "-q", *arguments]
    with script.open() as commands:
        return subprocess.run(command, env=environment, text=True, stdin=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def check_guide(environment, _arguments):
    """Every SQL statement of the in-memory guide runs."""
    done = psql(environment, ROOT / "tests" / "guide.sql", "-v", "ON_ERROR_STOP=1", "-o", os.devnull)
    if done.returncode != 0:
        raise Failed(done.stdout)


def check_psql(environment, arguments):
    """psql's own commands print what they print on PostgreSQL 15."""
    failures = []
    for script in sorted((ROOT / "tests" / "psql").glob("*.sql")):
        expected = script.with_suffix(".out")
        run([find_program("psql"), "-X", "-q", "-c", "DROP DATABASE IF EXISTS psql_test", "-c", "CREATE DATABASE psql_test"], environment)
        answer = psql(dict(environment, PGDATABASE="psql_test"), script, "-a").stdout
        if arguments.rewrite:
            expected.write_text(answer)
        elif answer != expected.read_text():
            lines = difflib.unified_diff(expected.read_text().splitlines(), answer.splitlines(), "PostgreSQL 15", "given", lineterm="")
            failures.append(f"{script.name}:\n" + "\n".join(lines))
    if failures:
        raise Failed("\n".join(failures))


def check_drivers(environment, _arguments):
    """The tests in tests/clients, with psycopg2 and psycopg."""
    command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", ROOT / "tests" / "clients", "-t", ROOT / "tests" / "clients"]
    done = run(command, environment, timeout=900)
    print("\n".join(done.stderr.strip().splitlines()[-3:]))
    if done.returncode != 0:
        raise Failed(done.stderr)


def check_round_trips(environment, arguments):
    """What the project's scripts make is dumped and restored, by us and by PostgreSQL 15 where it is installed."""
    if not arguments.server:
        print("  left out: it starts servers of its own, and --server names none")
        return
    # Those of the conformance suites take some minutes: only where they are asked for.
    ours = [] if os.environ.get("HELIOSDB_CONFORMANCE") else ["--only", "slt/", "clients/"]
    done = run([sys.executable, "-B", ROOT / "tools" / "round_trips.py", "--server", arguments.server, *ours], environment, timeout=3600)
    print("  " + (done.stdout.strip().splitlines() or [""])[-1])
    if done.returncode != 0:
        raise Failed(done.stdout + done.stderr)


PGBENCH_MODES = [("simple", []), ("extended", ["-M", "extended"]), ("prepared", ["-M", "prepared"]),
                 ("prepared, select only", ["-M", "prepared", "-S"])]


def check_pgbench(environment, arguments):
    """pgbench as it comes: no transaction fails and no money is lost."""
    pgbench = find_program("pgbench")
    done = run([pgbench, "-i", "-q", "-s", arguments.scale], environment, timeout=300)
    if done.returncode != 0:
        raise Failed(f"pgbench -i: {done.stderr}")
    for name, mode in PGBENCH_MODES:
        done = run([pgbench, "-n", "-c", "20", "-j", "2", "-T", arguments.pgbench_seconds, *mode], environment, timeout=300)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode != 0 or not failed or failed.group(1) != "0" or not rate:
            raise Failed(f"pgbench {name}: {done.stdout}{done.stderr}")
        print(f"  pgbench {name}: {float(rate.group(1)):,.0f} transactions a second")
    sums = run([find_program("psql"), "-X", "-At", "-c", """
        SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)
           AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)
           AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)
           AND (SELECT count(*) FROM pgbench_history) > 0"""], environment, timeout=60)
    if sums.stdout.strip() != "t":
        raise Failed(f"the four sums of pgbench differ: {sums.stdout}{sums.stderr}")


def check_fuzzer(environment, arguments):
    """Hostile bytes harm nobody but their sender."""
    command = [sys.executable, "-B", ROOT / "tools" / "protocol_fuzzer.py", "--seconds", arguments.fuzz_seconds]
    done = run(command, environment, timeout=arguments.fuzz_seconds + 120)
    print("  " + done.stdout.strip().replace("\n", "\n  "))
    if done.returncode != 0:
        raise Failed(done.stdout + done.stderr)


CHECKS = dict(guide=check_guide, psql=check_psql, drivers=check_drivers, round_trips=check_round_trips, pgbench=check_pgbench, fuzzer=check_fuzzer)


def run_checks(arguments, environment, alive):
    failed = []
    for name in arguments.only or CHECKS:
        check = CHECKS[name]
        started = time.monotonic()
        print(f"{name}: {check.__doc__}", flush=True)
        try:
            check(environment, arguments)
            alive()
            print(f"{name}: ok, {time.monotonic() - started:.1f} s", flush=True)
        except (Failed, subprocess.TimeoutExpired) as error:
            print(f"{error}\n{name}: FAILED", flush=True)
            failed.append(name)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's binary")
    parser.add_argument("--host", help="test a server that runs already")
    parser.add_argument("--port", type=int)
    parser.add_argument("--only", nargs="+", choices=CHECKS)
    parser.add_argument("--scale", type=int, default=1, help="pgbench's")
    parser.add_argument("--pgbench-seconds", type=int, default=3, help="for each mode")
    parser.add_argument("--fuzz-seconds", type=int, default=60)
    parser.add_argument("--rewrite", action="store_true", help="take what psql prints as the expectation (against a real PostgreSQL 15)")
    arguments = parser.parse_args()

    if arguments.port:
        environment = dict(os.environ, PGHOST=arguments.host or "127.0.0.1", PGPORT=str(arguments.port), PGUSER="postgres",
                           PGDATABASE="postgres")
        failed = run_checks(arguments, environment, lambda: None)
    else:
        with LocalServer(arguments.server) as server:
            print(f"server ready after {server.ready_ms:.0f} ms")
            environment = dict(server.environment(), HELIOSDB_NANO=os.path.abspath(arguments.server))
            failed = run_checks(arguments, environment, server.check_alive)
            panics = server.errors()
            if "panicked" in panics:
                print(f"the server panicked:\n{panics}")
                failed.append("panics")
            if server.stop() != 0:
                print(f"the server ended with {server.process.returncode} at SIGTERM\n{panics}")
                failed.append("end")
        if not failed and not arguments.only and SUITES.is_dir():
            quick = [sys.executable, "-B", ROOT / "tools" / "conformance.py", "--server", arguments.server, "--quick"]
            if subprocess.run([str(word) for word in quick]).returncode != 0:
                failed.append("conformance")
    print(f"client tests: {'FAILED: ' + ', '.join(failed) if failed else 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
