"""The in-memory guide's examples of isolation, locks and their troubles, word by word, over two real connections: of psycopg2 and of psql."""
import contextlib
import os
import queue
import re
import subprocess
import threading
import time
import unittest

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from connections import ClientTest, connect2, in_threads

CONCURRENT_UPDATE = "could not serialize access due to concurrent update"


class Failed(Exception):
    """A statement's error: its SQLSTATE and its text."""

    def __init__(self, sqlstate, message):
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate, self.message = sqlstate, message


class Driver:
    """A session of psycopg2 in which SQL alone begins and ends transactions."""

    def __init__(self, schema):
        self.connection = connect2(options=f"-c search_path={schema}")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def run(self, sql):
        """The last statement's rows, as texts."""
        try:
            self.cursor.execute(sql)
        except psycopg2.Error as error:
            raise Failed(error.pgcode, error.diag.message_primary) from error
        return [tuple(map(str, row)) for row in self.cursor.fetchall()] if self.cursor.description else []

    def close(self):
        self.connection.close()


class Psql:
    """A psql that is given one line at a time."""

    def __init__(self, schema):
        environment = dict(os.environ, PGOPTIONS=f"-c search_path={schema}")
        self.process = subprocess.Popen(["psql", "-XAtq", "-F", "\t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1, env=environment)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def run(self, sql):
        self.process.stdin.write(sql + ";\n\\echo __done__ :SQLSTATE :LAST_ERROR_MESSAGE\n")
        self.process.stdin.flush()
        rows = []
        while True:
            line = self.lines.get(timeout=20)
            if line is None:
                raise Failed("08006", "psql has ended")
            line = line.rstrip("\n")
            if done := re.match(r"__done__ (\w{5}) (.*)", line):
                if done[1] != "00000":
                    raise Failed(done[1], done[2])
                return rows
            rows.append(tuple(line.split("\t")))

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Examples:
    """What the guide shows, for either client."""

    Client = None

    def session(self):
        session = self.Client(self.schema)
        self.addCleanup(session.close)
        return session

    def accounts(self):
        self.db.execute("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT)")
        self.db.execute("INSERT INTO accounts VALUES (1, 1000)")

    def refused(self, sqlstate, message, run):
        with self.assertRaises(Failed) as caught:
            run()
        self.assertEqual((caught.exception.sqlstate, caught.exception.message), (sqlstate, message))

    BALANCE = "SELECT balance FROM accounts WHERE id = 1"

    def test_read_committed(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.run("BEGIN")
        self.assertEqual(one.run(self.BALANCE), [("1000",)])
        two.run("BEGIN")
        two.run("UPDATE accounts SET balance = 1200 WHERE id = 1")
        self.assertEqual(one.run(self.BALANCE), [("1000",)], "no dirty read")
        two.run("COMMIT")
        self.assertEqual(one.run(self.BALANCE), [("1200",)], "sees update")
        one.run("COMMIT")

    def test_repeatable_read(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        one.run("BEGIN")
        self.assertEqual(one.run(self.BALANCE), [("1000",)])
        two.run("UPDATE accounts SET balance = 1200 WHERE id = 1")
        two.run("INSERT INTO accounts VALUES (2, 0)")
        self.assertEqual(one.run(self.BALANCE), [("1000",)], "snapshot isolated")
        self.assertEqual(one.run("SELECT count(*) FROM accounts"), [("1",)], "and no phantoms, which the guide would allow")
        one.run("COMMIT")
        self.assertEqual(one.run(self.BALANCE), [("1200",)])

    def test_serializable(self):
        self.accounts()
        one, two = self.session(), self.session()
        for session, amount in (one, 100), (two, 200):
            session.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            session.run("BEGIN")
            self.assertEqual(session.run(self.BALANCE), [("1000",)])
            session.run(f"UPDATE accounts SET balance = balance - {amount} WHERE id = 1")
        two.run("COMMIT")
        self.refused("40001", CONCURRENT_UPDATE, lambda: one.run("COMMIT"))
        self.assertEqual(one.run(self.BALANCE), [("800",)])

    def test_setting_isolation_levels(self):
        one = self.session()
        level = "SHOW transaction_isolation"
        one.run("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        self.assertEqual(one.run(level), [("serializable",)])
        one.run("COMMIT")
        self.assertEqual(one.run(level), [("read committed",)])
        one.run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for _ in range(2):
            one.run("BEGIN")
            self.assertEqual(one.run(level), [("repeatable read",)])
            one.run("COMMIT")
        one.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        one.run("BEGIN")
        self.assertEqual(one.run(level), [("read committed",)], "for the next transaction")
        one.run("COMMIT")
        self.assertEqual(one.run(level), [("repeatable read",)], "and no other")
        self.refused("22023", 'invalid value for parameter "default_transaction_isolation": "chaos"',
                     lambda: one.run("SET default_transaction_isolation = 'chaos'"))

    def test_for_update_holds_the_row_until_the_commit(self):
        self.db.execute("CREATE TABLE hot_table (id INT PRIMARY KEY, n INT)")
        self.db.execute("INSERT INTO hot_table VALUES (1, 0), (2, 0)")
        one, two = self.session(), self.session()
        one.run("BEGIN")
        one.run("SELECT * FROM hot_table WHERE id = 1 FOR UPDATE")
        two.run("UPDATE hot_table SET n = 1 WHERE id = 2")
        two.run("SET lock_timeout = '50ms'")
        self.refused("55P03", "lock timeout exceeded", lambda: two.run("UPDATE hot_table SET n = 1 WHERE id = 1"))
        self.refused("55P03", 'could not obtain lock on row in relation "hot_table"',
                     lambda: two.run("SELECT * FROM hot_table WHERE id = 1 FOR UPDATE NOWAIT"))
        one.run("COMMIT")
        two.run("UPDATE hot_table SET n = 1 WHERE id = 1")

    def test_who_waits_is_seen(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.run("BEGIN")
        one.run("UPDATE accounts SET balance = 1 WHERE id = 1")
        thread = threading.Thread(target=lambda: two.run("UPDATE accounts SET balance = 2 WHERE id = 1"))
        thread.start()
        for _ in range(500):
            waiting = self.db.execute("SELECT pid FROM pg_locks WHERE NOT granted").fetchall()
            if waiting:
                break
            time.sleep(0.01)
        self.assertEqual(len(waiting), 1)
        blocked = self.db.execute("""
            SELECT blocked.query, blocking.query FROM pg_stat_activity blocked
            JOIN pg_stat_activity blocking ON blocking.pid = ANY (pg_blocking_pids(blocked.pid))""").fetchall()
        self.assertEqual(len(blocked), 1)
        self.assertIn("balance = 2", blocked[0][0])
        self.assertIn("balance = 1", blocked[0][1])
        one.run("COMMIT")
        thread.join(20)
        self.assertEqual(self.value("SELECT balance FROM accounts"), 2)

    def test_batches(self):
        self.db.execute("CREATE TABLE orders AS SELECT id, 'pending' AS status FROM generate_series(1, 1500) id")
        one = self.session()
        batch = "UPDATE orders SET status = 'shipped' WHERE id IN (SELECT id FROM orders WHERE status = 'pending' LIMIT 1000)"
        counts = []
        for _ in range(3):
            one.run(batch)
            counts.append(self.value("SELECT count(*) FROM orders WHERE status = 'shipped'"))
        self.assertEqual(counts, [1000, 1500, 1500])

    def test_idle_sessions_are_closed(self):
        idle = self.session()
        idle.run("BEGIN")
        self.db.execute("CREATE TABLE t (a int)")
        query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE state = 'idle in transaction' AND xact_start < NOW() - INTERVAL '{}' AND pid != pg_backend_pid()"""
        self.assertEqual(self.db.execute(query.format("5 minutes")).fetchall(), [])
        self.assertEqual(self.db.execute(query.format("0 minutes")).fetchall(), [(True,)])
        with self.assertRaises((Failed, BrokenPipeError)):
            idle.run("SELECT 1")

    def test_inventory(self):
        self.db.execute("CREATE TABLE inventory (product_id INT PRIMARY KEY, quantity INT, reserved INT DEFAULT 0)")
        self.db.execute("CREATE TABLE reservations (product_id INT, user_id INT, created_at TIMESTAMP)")
        self.db.execute("INSERT INTO inventory VALUES (123, 5)")

        def reserve(user):
            session = self.session()
            for _ in range(200):
                try:
                    session.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                    session.run("BEGIN")
                    if session.run("SELECT quantity FROM inventory WHERE product_id = 123") != [("0",)]:
                        session.run("UPDATE inventory SET quantity = quantity - 1, reserved = reserved + 1 "
                                    "WHERE product_id = 123 AND quantity > 0")
                        session.run(f"INSERT INTO reservations (product_id, user_id, created_at) VALUES (123, {user}, NOW())")
                    session.run("COMMIT")
                    return
                except Failed as error:
                    self.assertEqual(error.sqlstate, "40001")
                    session.run("ROLLBACK")
            self.fail("it never gets through")

        in_threads(6, reserve)
        self.assertEqual(self.db.execute("SELECT quantity, reserved FROM inventory").fetchall(), [(0, 5)])
        self.assertEqual(self.value("SELECT count(DISTINCT user_id) FROM reservations"), 5)


class WithPsycopg2(Examples, ClientTest):
    Client = Driver

    def test_retries_with_backoff(self):
        """The guide's own loop, around psycopg2's transactions."""
        self.accounts()
        in_the_way = connect2(options=f"-c search_path={self.schema}")
        self.addCleanup(in_the_way.close)
        attempts = 0
        db = connect2(options=f"-c search_path={self.schema}")
        self.addCleanup(db.close)
        db.autocommit = True
        cursor = db.cursor()
        for attempt in range(3):
            try:
                cursor.execute("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                cursor.execute("UPDATE accounts SET balance = balance - 100 WHERE id = 1")
                if attempt == 0:
                    in_the_way.cursor().execute("UPDATE accounts SET balance = balance + 5 WHERE id = 1")
                    in_the_way.commit()
                cursor.execute("COMMIT")
                break
            except psycopg2.extensions.TransactionRollbackError:
                attempts += 1
                cursor.execute("ROLLBACK")
                time.sleep(0.01 * (2 ** attempt))
        self.assertEqual((attempts, self.value("SELECT balance FROM accounts")), (1, 905))


class WithPsql(Examples, ClientTest):
    Client = Psql


if __name__ == "__main__":
    unittest.main()
