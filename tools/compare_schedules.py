#!/usr/bin/env python3
"""Aborts at SERIALIZABLE on the same schedules, ours beside PostgreSQL 15.

    compare_schedules.py --server target/release/heliosdb-nano [--schedules 300] [--seed 1]

A schedule is a few transactions of a few statements each and the order in which the statements are sent, all from the seed. Both servers
get it statement by statement: the next is sent when the one before has ended or waits for a lock, as PostgreSQL's isolationtester does.
A transaction that fails is not tried again. What the others have read and written must be what some serial order gives: a search over all
orders decides, and a schedule without one ends the run with an error."""
import argparse
import asyncio
import itertools
import random
import sys

sys.dont_write_bytecode = True
import psycopg

from local_postgres import local_postgres
from local_server import LocalServer

SESSIONS = 4
ROWS = 4
FAILURES = ("40001", "40P01")


def random_transactions(rng, may_be_range):
    """A statement reads a row or a range of rows, or adds to one: ("read", ids), ("add", ids)."""
    def statement():
        first = rng.randrange(ROWS)
        if rng.random() < 0.5:
            return "add", (first,)
        return "read", tuple(range(first, rng.randint(first, ROWS - 1) + 1 if may_be_range else first + 1))
    return [[statement() for _ in range(rng.randint(2, 4))] for _ in range(SESSIONS)]


KINDS = {
    "random rows": lambda rng: random_transactions(rng, may_be_range=False),
    "random ranges": lambda rng: random_transactions(rng, may_be_range=True),
    "read one, add to the next": lambda rng: [[("read", (at,)), ("add", ((at + 1) % ROWS,))] for at in range(rng.randint(2, SESSIONS))],
    "each its own row": lambda _: [[("read", (at,)), ("add", (at,)), ("read", (at,))] for at in range(SESSIONS)],
    "look for a new key, insert it": lambda _: [[("read", (ROWS + at,)), ("insert", (ROWS + at,))] for at in range(SESSIONS)],
}


def schedule_of(transactions, rng):
    """In which order the sessions come to send their next statement; one more each for COMMIT."""
    turns = [session for session, statements in enumerate(transactions) for _ in range(len(statements) + 1)]
    rng.shuffle(turns)
    return turns


def sql_of(statement):
    kind, ids = statement
    if kind == "insert":
        return f"INSERT INTO scheduled VALUES ({ids[0]}, 0) RETURNING value"
    if kind == "add":
        return f"UPDATE scheduled SET value = value + 1 WHERE id = {ids[0]} RETURNING value"
    condition = f"id = {ids[0]}" if len(ids) == 1 else f"id BETWEEN {ids[0]} AND {ids[-1]}"
    return f"SELECT id, value FROM scheduled WHERE {condition} ORDER BY id"


class Session:
    """One connection, its transaction, and what each statement gave."""

    def __init__(self, connection):
        self.connection = connection
        self.pid = connection.info.backend_pid

    def begin(self, statements):
        self.waiting = [*statements, None]
        self.running = None
        self.seen = []
        self.outcome = None

    async def next(self):
        statement = self.waiting.pop(0)
        try:
            if statement is None:
                await self.connection.execute("COMMIT")
                self.outcome = "committed"
                return
            self.seen.append((statement, await (await self.connection.execute(sql_of(statement))).fetchall()))
        except psycopg.Error as error:
            if error.sqlstate not in FAILURES:
                raise
            self.waiting.clear()
            self.outcome = "aborted"
            await self.connection.execute("ROLLBACK")


async def is_blocked(control, session, sessions):
    pids = [other.pid for other in sessions]
    found = await (await control.execute("SELECT pg_catalog.pg_isolation_test_session_is_blocked(%s, %s::int[])", (session.pid, pids))).fetchone()
    return found[0]


async def settle(control, sessions):
    """Waits until every session has ended its statement or waits for a lock; what became free goes on with what it owes."""
    while True:
        running = [session for session in sessions if session.running]
        if not running:
            return
        await asyncio.wait([session.running for session in running], timeout=0.003, return_when=asyncio.FIRST_COMPLETED)
        for session in running:
            if session.running.done():
                session.running.result()
                session.running = asyncio.ensure_future(session.next()) if session.owed and session.waiting else None
                session.owed = max(0, session.owed - 1)
        if all([session.running is None or (not session.running.done() and await is_blocked(control, session, sessions)) for session in sessions]):
            return


async def run_schedule(control, sessions, transactions, turns):
    await control.execute(f"DELETE FROM scheduled WHERE id >= {ROWS}")
    await control.execute("UPDATE scheduled SET value = 0")
    taking_part = sessions[:len(transactions)]
    for session, statements in zip(taking_part, transactions):
        session.begin(statements)
        session.owed = 0
        await session.connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    for turn in turns:
        session = taking_part[turn]
        if session.running:
            session.owed += 1
        elif session.waiting:
            session.running = asyncio.ensure_future(session.next())
        await settle(control, taking_part)
    while any(session.running for session in taking_part):
        await settle(control, taking_part)
    return taking_part


def replays(order):
    """Whether running these sessions one after the other gives each what it saw."""
    values = dict.fromkeys(range(ROWS), 0)
    for session in order:
        for (kind, ids), rows in session.seen:
            if kind == "read":
                expected = [(row, values[row]) for row in ids if row in values]
            else:
                values[ids[0]] = 0 if kind == "insert" else values[ids[0]] + 1
                expected = [(values[ids[0]],)]
            if rows != expected:
                return False
    return True


def has_serial_order(sessions):
    return any(replays(order) for order in itertools.permutations(sessions))


async def connect(parameters):
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


async def measure(name, parameters, arguments):
    control = await connect(parameters)
    await control.execute("DROP TABLE IF EXISTS scheduled")
    await control.execute("CREATE TABLE scheduled (id int PRIMARY KEY, value int NOT NULL)")
    await control.execute(f"INSERT INTO scheduled SELECT id, 0 FROM generate_series(0, {ROWS - 1}) id")
    sessions = [Session(await connect(parameters)) for _ in range(SESSIONS)]
    # Four rows: PostgreSQL would scan them, and lock them all, where a table of any size has its index used.
    for session in sessions:
        await session.connection.execute("SET enable_seqscan = off")
    counts = {}
    for kind in KINDS:
        rng = random.Random(f"{arguments.seed} {kind}")
        committed = aborted = 0
        for number in range(arguments.schedules):
            transactions = KINDS[kind](rng)
            taken = await run_schedule(control, sessions, transactions, schedule_of(transactions, rng))
            survivors = [session for session in taken if session.outcome == "committed"]
            if not has_serial_order(survivors):
                raise SystemExit(f"{name}: schedule {number} of seed {arguments.seed}, {kind}: what was committed has no serial order")
            committed += len(survivors)
            aborted += len(taken) - len(survivors)
        counts[kind] = (committed, aborted)
    return counts


async def compare(servers, arguments):
    counts = {name: await measure(name, parameters, arguments) for name, parameters in servers.items()}
    print(f"{arguments.schedules} schedules of each kind, seed {arguments.seed}: transactions that aborted")
    for kind in KINDS:
        shares = [f"{name} {counts[name][kind][1]:>5} of {sum(counts[name][kind])}" for name in servers]
        print(f"  {kind:<32}{'     '.join(shares)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with LocalServer(arguments.server) as ours, local_postgres() as peer:
        servers = {"HeliosDB Nano": ours.port} | ({"PostgreSQL 15": peer[0]} if peer else {})
        parameters = {name: dict(host="127.0.0.1", port=port, user="postgres", dbname="postgres") for name, port in servers.items()}
        asyncio.run(compare(parameters, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
