#!/usr/bin/env python3
"""SERIALIZABLE under contention, ours beside PostgreSQL 15 in one run: commits and aborts a second.

    bench_transactions.py --server target/release/heliosdb-nano [--seconds 5] [--repeat 3] [--only smallbank]

Every aborted transaction is counted and not tried again. The two servers take turns within each workload and the medians are compared; how
PostgreSQL is set up is in bench.py. The workloads: SmallBank (Alomari, Cahill, Fekete, Roehm 2008), SIBENCH (Cahill 2009), TPC-B, and
updates of keys that no two clients share, of one table, for which no abort is needed."""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from bench import Target, postgresql
from local_server import LocalServer, find_program

BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE;\n"
END = "END;\n"


def smallbank(customers):
    """Customers with a savings and a checking account: five programs, of which one only reads."""
    choose = f"\\set one random(1, {customers})\n\\set other 1 + (:one + random(0, {customers - 2})) % {customers}\n\\set amount random(1, 50)\n"
    programs = {
        "balance": "SELECT s.balance + c.balance FROM savings s JOIN checking c ON c.customer = s.customer WHERE s.customer = :one;\n",
        "deposit": "UPDATE checking SET balance = balance + :amount WHERE customer = :one;\n",
        "transact": "UPDATE savings SET balance = balance + :amount WHERE customer = :one;\n",
        "amalgamate": "SELECT balance AS saved FROM savings WHERE customer = :one \\gset\n"
                      "SELECT balance AS checked FROM checking WHERE customer = :one \\gset\n"
                      "UPDATE savings SET balance = 0 WHERE customer = :one;\nUPDATE checking SET balance = 0 WHERE customer = :one;\n"
                      "UPDATE checking SET balance = balance + :saved + :checked WHERE customer = :other;\n",
        "write_check": "SELECT s.balance + c.balance AS sum FROM savings s JOIN checking c ON c.customer = s.customer "
                       "WHERE s.customer = :one \\gset\n"
                       "UPDATE checking SET balance = balance - :amount - (CASE WHEN :sum < :amount THEN 1 ELSE 0 END) WHERE customer = :one;\n",
    }
    setup = f"""
        DROP TABLE IF EXISTS savings, checking;
        CREATE TABLE savings (customer int PRIMARY KEY, balance int NOT NULL);
        CREATE TABLE checking (customer int PRIMARY KEY, balance int NOT NULL);
        INSERT INTO savings SELECT id, 1000 FROM generate_series(1, {customers}) id;
        INSERT INTO checking SELECT id, 1000 FROM generate_series(1, {customers}) id;"""
    return setup, [choose + BEGIN + program + END for program in programs.values()]


def sibench(rows):
    """Half look for the row with the smallest value, half add to a random one."""
    setup = f"""
        DROP TABLE IF EXISTS sibench;
        CREATE TABLE sibench (id int PRIMARY KEY, value int NOT NULL);
        INSERT INTO sibench SELECT id, id FROM generate_series(1, {rows}) id;"""
    query = "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY;\nSELECT id FROM sibench ORDER BY value LIMIT 1;\n" + END
    update = f"\\set id random(1, {rows})\n" + BEGIN + "UPDATE sibench SET value = value + 1 WHERE id = :id;\n" + END
    return setup, [query, update]


def tpcb(scale):
    """pgbench's own transaction."""
    script = f"""
\\set aid random(1, {scale * 100_000})
\\set bid random(1, {scale})
\\set tid random(1, {scale * 10})
\\set delta random(-5000, 5000)
""" + BEGIN + """UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
""" + END
    return f"pgbench -i -s {scale}", [script]


def disjoint(clients):
    """Each client reads and updates rows that are its own; the rows lie side by side."""
    setup = f"""
        DROP TABLE IF EXISTS disjoint;
        CREATE TABLE disjoint (id int PRIMARY KEY, value int NOT NULL);
        INSERT INTO disjoint SELECT id, 0 FROM generate_series(0, {clients * 50}) id;"""
    script = f"""
\\set one random(0, 49) * {clients} + :client_id
\\set other random(0, 49) * {clients} + :client_id
""" + BEGIN + """SELECT value FROM disjoint WHERE id = :one;
SELECT value FROM disjoint WHERE id = :other;
UPDATE disjoint SET value = value + 1 WHERE id = :one;
UPDATE disjoint SET value = value - 1 WHERE id = :other;
""" + END
    return setup, [script]


WORKLOADS = [
    ("SmallBank, 1000 customers, 20 clients", smallbank(1000), 20),
    ("SmallBank, 50 customers, 20 clients", smallbank(50), 20),
    ("SIBENCH, 100 rows, 20 clients", sibench(100), 20),
    ("TPC-B, scale 10, 20 clients", tpcb(10), 20),
    ("disjoint keys of one table, 20 clients", disjoint(20), 20),
]


def prepare(target, setup):
    if setup.startswith("pgbench "):
        target.pgbench(["-q", *setup.split()[1:]])
        return
    subprocess.run([find_program("psql"), "-X", "-q", "-c", "SET client_min_messages = warning", "-c", setup], env=target.environment, check=True)


def measure(target, files, clients, seconds):
    """Commits and aborts a second."""
    options = [argument for file in files for argument in ("-f", file)]
    output = target.pgbench(["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), *options])
    committed = int(re.search(r"number of transactions actually processed: (\d+)", output)[1])
    failed = int(re.search(r"number of failed transactions: (\d+)", output)[1])
    return committed / seconds, failed / seconds


def run_workload(targets, setup, scripts, clients, arguments):
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for number, script in enumerate(scripts):
            file = pathlib.Path(directory) / f"{number}.sql"
            file.write_text(script)
            files.append(str(file))
        for target in targets:
            prepare(target, setup)
        measured = {target.name: [] for target in targets}
        for _ in range(arguments.repeat):
            for target in targets:
                measured[target.name].append(measure(target, files, clients, arguments.seconds))
    medians = {name: [statistics.median(column) for column in zip(*values)] for name, values in measured.items()}
    mine = medians[targets[0].name][0]
    for target in targets:
        commits, aborts = medians[target.name]
        ratio = "" if target is targets[0] else f"   ours commits {mine / max(commits, 1):.2f} of it"
        share = 100 * aborts / max(commits + aborts, 1)
        print(f"  {target.name:<14}{commits:>10,.0f} commits{aborts:>10,.1f} aborts a second ({share:.2f} %){ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", help="the workloads whose names contain this, in any case")
    arguments = parser.parse_args()
    with LocalServer(arguments.server) as ours, postgresql() as peer:
        targets = [Target("HeliosDB Nano", ours.port, ours.process.pid)] + ([peer] if peer else [])
        for name, (setup, scripts), clients in WORKLOADS:
            if arguments.only and arguments.only.lower() not in name.lower():
                continue
            print(f"\n{name}", flush=True)
            run_workload(targets, setup, scripts, clients, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
