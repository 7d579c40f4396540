"""Isolation levels and locks as the guide's examples show them, over two and more real connections of psycopg2."""
import threading
import time
import unittest

import psycopg2
import psycopg2.errors

from connections import ClientTest, connect2, in_threads

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
CONCURRENT_UPDATE = "could not serialize access due to concurrent update"


class Waiting:
    """A statement run in a thread of its own, because it is to wait for another session."""

    def __init__(self, cursor, sql):
        self.error = None
        self.thread = threading.Thread(target=self.run, args=(cursor, sql))
        self.thread.start()

    def run(self, cursor, sql):
        try:
            cursor.execute(sql)
        except psycopg2.Error as error:
            self.error = error

    def finish(self):
        self.thread.join(20)
        assert not self.thread.is_alive(), "the statement still waits"
        if self.error:
            raise self.error


class IsolationTest(ClientTest):
    def session(self):
        """A psycopg2 connection in this test's schema, whose transactions are begun by SQL."""
        db = connect2(options=f"-c search_path={self.schema}")
        db.autocommit = True
        self.addCleanup(db.close)
        return db.cursor()

    def one(self, cursor, sql):
        cursor.execute(sql)
        return cursor.fetchone()[0]

    def accounts(self):
        self.db.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
        self.db.execute("INSERT INTO accounts VALUES (1, 1000), (2, 2000)")

    def await_blocked(self, cursor):
        """Until this cursor's session waits for a lock."""
        pid = cursor.connection.info.backend_pid
        for _ in range(400):
            if self.value(f"SELECT cardinality(pg_blocking_pids({pid}))") > 0:
                return
            time.sleep(0.01)
        self.fail("it does not wait")


class GuideExamples(IsolationTest):
    def test_read_committed_sees_what_was_committed_meanwhile(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN")
        self.assertEqual(self.one(one, "SELECT balance FROM accounts WHERE id = 1"), 1000)
        two.execute("BEGIN; UPDATE accounts SET balance = 1200 WHERE id = 1; COMMIT")
        self.assertEqual(self.one(one, "SELECT balance FROM accounts WHERE id = 1"), 1200)
        one.execute("COMMIT")

    def test_repeatable_read_keeps_its_snapshot(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self.assertEqual(self.one(one, "SELECT balance FROM accounts WHERE id = 1"), 1000)
        two.execute("UPDATE accounts SET balance = 1200 WHERE id = 1")
        two.execute("INSERT INTO accounts VALUES (3, 0)")
        self.assertEqual(self.one(one, "SELECT balance FROM accounts WHERE id = 1"), 1000)
        self.assertEqual(self.one(one, "SELECT count(*) FROM accounts"), 2)
        with self.assertRaises(psycopg2.errors.SerializationFailure) as caught:
            one.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
        self.assertEqual(caught.exception.diag.message_primary, CONCURRENT_UPDATE)
        one.execute("ROLLBACK")

    def test_serializable_neither_waits_and_the_first_to_commit_wins(self):
        self.accounts()
        one, two = self.session(), self.session()
        for cursor, amount in (one, 100), (two, 200):
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            cursor.execute("BEGIN")
            self.assertEqual(self.one(cursor, "SHOW transaction_isolation"), "serializable")
            self.assertEqual(self.one(cursor, "SELECT balance FROM accounts WHERE id = 1"), 1000)
            cursor.execute(f"UPDATE accounts SET balance = balance - {amount} WHERE id = 1")
        two.execute("COMMIT")
        with self.assertRaises(psycopg2.errors.SerializationFailure) as caught:
            one.execute("COMMIT")
        self.assertEqual(caught.exception.diag.message_primary, CONCURRENT_UPDATE)
        self.assertEqual(self.one(one, "SELECT balance FROM accounts WHERE id = 1"), 800)
        self.assertEqual(self.one(one, "SHOW transaction_isolation"), "read committed")

    def test_serializable_updates_of_other_keys_do_not_disturb_each_other(self):
        self.accounts()
        one, two = self.session(), self.session()
        for cursor, account in (one, 1), (two, 2):
            cursor.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
            self.one(cursor, f"SELECT balance FROM accounts WHERE id = {account}")
            cursor.execute(f"UPDATE accounts SET balance = balance + 1 WHERE id = {account}")
        one.execute("COMMIT")
        two.execute("COMMIT")

    def test_serializable_refuses_write_skew(self):
        self.accounts()
        one, two = self.session(), self.session()
        for cursor, account in (one, 1), (two, 2):
            cursor.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
            self.one(cursor, "SELECT sum(balance) FROM accounts")
            cursor.execute(f"UPDATE accounts SET balance = 0 WHERE id = {account}")
        one.execute("COMMIT")
        with self.assertRaises(psycopg2.errors.SerializationFailure):
            two.execute("COMMIT")

    def test_inventory_reservations(self):
        self.db.execute("CREATE TABLE inventory (product_id int PRIMARY KEY, quantity int, reserved int DEFAULT 0)")
        self.db.execute("INSERT INTO inventory VALUES (123, 5)")
        sold = []

        def reserve(number):
            cursor = self.session()
            while True:
                try:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                    cursor.execute("BEGIN")
                    cursor.execute("SELECT quantity FROM inventory WHERE product_id = 123")
                    cursor.execute("UPDATE inventory SET quantity = quantity - 1, reserved = reserved + 1 "
                                   "WHERE product_id = 123 AND quantity > 0")
                    got = cursor.rowcount
                    cursor.execute("COMMIT")
                    sold.extend([number] * got)
                    return
                except psycopg2.errors.SerializationFailure:
                    cursor.execute("ROLLBACK")

        in_threads(8, reserve)
        self.assertEqual(len(sold), 5)
        self.assertEqual(self.db.execute("SELECT quantity, reserved FROM inventory").fetchall(), [(0, 5)])

    def test_no_increment_is_lost_at_any_level(self):
        self.db.execute("CREATE TABLE counter (id int PRIMARY KEY, n int)")
        for level in LEVELS:
            self.db.execute("TRUNCATE counter")
            self.db.execute("INSERT INTO counter VALUES (1, 0)")

            def increment(_):
                cursor = self.session()
                for _ in range(10):
                    while True:
                        try:
                            cursor.execute(f"BEGIN ISOLATION LEVEL {level}")
                            cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
                            cursor.execute("COMMIT")
                            break
                        except psycopg2.errors.SerializationFailure:
                            cursor.execute("ROLLBACK")

            in_threads(8, increment)
            self.assertEqual(self.value("SELECT n FROM counter"), 80, level)


class Locks(IsolationTest):
    def test_a_writer_waits_and_looks_again(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; UPDATE accounts SET balance = balance + 10 WHERE id = 1")
        two.execute("BEGIN")
        waiting = Waiting(two, "UPDATE accounts SET balance = balance * 2 WHERE balance = 1000")
        self.await_blocked(two)
        one.execute("COMMIT")
        waiting.finish()
        self.assertEqual(two.rowcount, 0, "the row no longer fits")
        two.execute("COMMIT")

    def test_a_job_queue_hands_out_each_job_once(self):
        self.db.execute("CREATE TABLE jobs (id int PRIMARY KEY, done boolean DEFAULT false)")
        self.db.execute("INSERT INTO jobs SELECT generate_series(1, 200)")
        taken, lock = [], threading.Lock()

        def work(_):
            cursor = self.session()
            while True:
                cursor.execute("BEGIN")
                cursor.execute("SELECT id FROM jobs WHERE NOT done ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
                row = cursor.fetchone()
                if row is None:
                    cursor.execute("COMMIT")
                    return
                cursor.execute("UPDATE jobs SET done = true WHERE id = %s", row)
                cursor.execute("COMMIT")
                with lock:
                    taken.append(row[0])

        in_threads(20, work)
        # Who finds only locked rows goes home: what others then give back is left. Nothing is given back here.
        self.assertEqual(sorted(taken), list(range(1, 201)))

    def test_nowait_and_lock_timeout(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; SELECT * FROM accounts WHERE id = 1 FOR UPDATE")
        with self.assertRaises(psycopg2.errors.LockNotAvailable) as caught:
            two.execute("SELECT * FROM accounts WHERE id = 1 FOR SHARE NOWAIT")
        self.assertEqual(caught.exception.diag.message_primary, 'could not obtain lock on row in relation "accounts"')
        two.execute("SET lock_timeout = '50ms'")
        with self.assertRaises(psycopg2.errors.LockNotAvailable):
            two.execute("DELETE FROM accounts WHERE id = 1")
        with self.assertRaises(psycopg2.errors.LockNotAvailable):
            two.execute("BEGIN; LOCK TABLE accounts IN EXCLUSIVE MODE NOWAIT")
        two.execute("ROLLBACK")
        one.execute("ROLLBACK")

    def test_a_failed_block_holds_no_lock(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; UPDATE accounts SET balance = 0 WHERE id = 1")
        with self.assertRaises(psycopg2.errors.DivisionByZero):
            one.execute("SELECT 1 / 0")
        two.execute("SET lock_timeout = '5s'; UPDATE accounts SET balance = 1 WHERE id = 1")
        with self.assertRaises(psycopg2.errors.InFailedSqlTransaction):
            one.execute("SELECT 1")
        one.execute("ROLLBACK")
        self.assertEqual(self.value("SELECT balance FROM accounts WHERE id = 1"), 1)

    def test_rollback_to_gives_locks_back(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; SAVEPOINT s; UPDATE accounts SET balance = 0; ROLLBACK TO s")
        two.execute("SET lock_timeout = '5s'; UPDATE accounts SET balance = 1 WHERE id = 1")
        one.execute("COMMIT")

    def test_a_deadlock_ends_with_one_victim(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1")
        two.execute("BEGIN; UPDATE accounts SET balance = 2 WHERE id = 2")
        waiting = Waiting(one, "UPDATE accounts SET balance = 1 WHERE id = 2")
        self.await_blocked(one)
        victims = 0
        try:
            two.execute("UPDATE accounts SET balance = 2 WHERE id = 1")
        except psycopg2.errors.DeadlockDetected as error:
            victims += 1
            self.assertRegex(error.diag.message_detail, r"^Process \d+ waits for ShareLock on transaction \d+; blocked by process \d+\.\n"
                                                        r"Process \d+ waits for ShareLock on transaction \d+; blocked by process \d+\.$")
        two.execute("ROLLBACK")
        try:
            waiting.finish()
        except psycopg2.errors.DeadlockDetected:
            victims += 1
        one.execute("ROLLBACK")
        self.assertEqual(victims, 1)

    def test_a_reader_in_a_block_keeps_its_table(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN; SELECT * FROM accounts")
        waiting = Waiting(two, "ALTER TABLE accounts ADD COLUMN note text")
        self.await_blocked(two)
        one.execute("SELECT count(*) FROM accounts")
        one.execute("COMMIT")
        waiting.finish()

    def test_advisory_locks(self):
        one, two = self.session(), self.session()
        one.execute("SELECT pg_advisory_lock(7), pg_advisory_lock(7), pg_advisory_lock_shared(1, 2)")
        self.assertFalse(self.one(two, "SELECT pg_try_advisory_lock(7)"))
        self.assertTrue(self.one(two, "SELECT pg_try_advisory_lock(0, 7)"))
        self.assertTrue(self.one(two, "SELECT pg_try_advisory_lock_shared(1, 2)"))
        self.assertFalse(self.one(two, "SELECT pg_try_advisory_lock(1, 2)"))
        self.assertTrue(self.one(one, "SELECT pg_advisory_unlock(7)"))
        waiting = Waiting(two, "SELECT pg_advisory_xact_lock(7)")
        self.await_blocked(two)
        self.assertTrue(self.one(one, "SELECT pg_advisory_unlock(7)"))
        waiting.finish()
        self.assertTrue(self.one(one, "SELECT pg_try_advisory_lock(7)"), "the transaction that had it is over")
        one.connection.notices.clear()
        self.assertFalse(self.one(one, "SELECT pg_advisory_unlock(8)"))
        self.assertIn("you don't own a lock of type ExclusiveLock", one.connection.notices[0])
        one.execute("SELECT pg_advisory_unlock_all()")
        self.assertTrue(self.one(two, "SELECT pg_try_advisory_lock(7)"))

    def test_a_cancelled_wait_ends(self):
        one, two = self.session(), self.session()
        one.execute("SELECT pg_advisory_lock(9)")
        waiting = Waiting(two, "SELECT pg_advisory_lock(9)")
        self.await_blocked(two)
        self.value(f"SELECT pg_cancel_backend({two.connection.info.backend_pid})")
        with self.assertRaises(psycopg2.errors.QueryCanceled):
            waiting.finish()
        one.execute("SELECT pg_advisory_unlock_all()")

    def test_a_deferrable_report_waits_for_a_safe_snapshot(self):
        self.accounts()
        one, two = self.session(), self.session()
        one.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE accounts SET balance = 1 WHERE id = 1")
        two.execute("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE")
        waiting = Waiting(two, "SELECT sum(balance) FROM accounts")
        self.await_blocked(two)
        one.execute("COMMIT")
        waiting.finish()
        two.execute("COMMIT")


if __name__ == "__main__":
    unittest.main()
