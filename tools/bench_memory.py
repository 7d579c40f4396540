#!/usr/bin/env python3
"""What a million rows of about a hundred bytes with a primary key take in a server: the growth of its resident memory.

    bench_memory.py --server target/release/heliosdb-nano [--rows 1000000]

The same rows are loaded by COPY, by INSERT ... SELECT, and by INSERTs of a thousand rows, each in a server of its own, and then all updated.
Memory is read when it has come to rest. Each load is printed beside its target; the exit code is 1 when one is missed."""
import argparse
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from local_server import LocalServer, find_program

TARGET_MB = 130
CREATE = "CREATE TABLE t (id bigint PRIMARY KEY, k int NOT NULL, grp int NOT NULL, v float8 NOT NULL, pad text)"


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"^VmRSS:\s+(\d+)", status.read(), re.MULTILINE).group(1)) * 1024 / 1e6


def resting_mb(pid):
    """Freed memory goes back to the system in the seconds after."""
    least = resident_mb(pid)
    for _ in range(25):
        time.sleep(0.2)
        least = min(least, resident_mb(pid))
    return least


def copied(rows):
    yield "COPY t FROM STDIN;\n"
    for row in range(rows):
        yield f"{row}\t{row * 7919 % 100000}\t{row % 1000}\t{row}.5\t{row:x>72}\n"
    yield "\\.\n"


def selected(rows):
    yield f"INSERT INTO t SELECT i, i * 7919 % 100000, i % 1000, i + 0.5, lpad(i::text, 72, 'x') FROM generate_series(0, {rows - 1}::bigint) i;\n"


def inserted(rows):
    for first in range(0, rows, 1000):
        values = (f"({row},{row * 7919 % 100000},{row % 1000},{row}.5,'{row:x>72}')" for row in range(first, first + 1000))
        yield f"INSERT INTO t VALUES {','.join(values)};\n"


LOADS = [("COPY", copied), ("INSERT ... SELECT", selected), ("INSERTs of 1000 rows", inserted)]


def run(server, script):
    client = subprocess.Popen([find_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"], env=server.environment(),
                              stdin=subprocess.PIPE, text=True)
    for part in script:
        client.stdin.write(part)
    client.stdin.close()
    if client.wait() != 0:
        raise SystemExit(server.errors())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    target = TARGET_MB * arguments.rows / 1e6
    missed = False
    for name, load in LOADS:
        with LocalServer(os.path.abspath(arguments.server)) as server:
            run(server, [CREATE])
            before = resting_mb(server.process.pid)
            run(server, load(arguments.rows))
            grown = resting_mb(server.process.pid) - before
            run(server, ["UPDATE t SET k = k + 1"])
            updated = resting_mb(server.process.pid) - before
        missed |= grown > target
        print(f"{name:<22} {grown:>7.1f} MB (target {target:.0f})   after an update of all {updated:>7.1f} MB", flush=True)
    sys.exit(missed)


main()
