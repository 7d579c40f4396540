"""Transactions: rollback, savepoints, isolation levels, and sessions that want the same rows."""
import threading
import time
import unittest

import psycopg
import psycopg2.extensions

from connections import ClientTest, connect2, connect3, in_threads


class Transactions(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)")
        self.db.execute("INSERT INTO accounts VALUES (1, 1000), (2, 1000)")

    def balance(self, db=None):
        return (db or self.db).execute("SELECT balance FROM accounts WHERE id = 1").fetchone()[0]

    def test_rollback_undoes_everything(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO accounts VALUES (%s, %s)", [3, 5])
        self.db.execute("INSERT INTO accounts SELECT id + 10, balance FROM accounts RETURNING id")
        self.db.execute("UPDATE accounts SET balance = 0")
        self.db.execute("DELETE FROM accounts WHERE id = 2")
        self.db.execute("CREATE TABLE made (a int)")
        self.db.execute("DROP TABLE accounts")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.db.execute("SELECT id, balance FROM accounts ORDER BY id").fetchall(), [(1, 1000), (2, 1000)])
        with self.fails("42P01"):
            self.db.execute("SELECT * FROM made")

    def test_savepoints(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO accounts VALUES (3, 3)")
        self.db.execute("SAVEPOINT a")
        self.db.execute("INSERT INTO accounts VALUES (4, 4)")
        with self.fails("23505"):
            self.db.execute("INSERT INTO accounts VALUES (1, 1)")
        self.db.execute("ROLLBACK TO a")
        self.db.execute("INSERT INTO accounts VALUES (4, 40)")
        self.db.execute("RELEASE a")
        self.db.execute("END")
        self.assertEqual(self.db.execute("SELECT id, balance FROM accounts WHERE id > 2 ORDER BY id").fetchall(), [(3, 3), (4, 40)])

    def test_read_committed_sees_commits(self):
        other = self.another()
        other.execute("BEGIN")
        self.assertEqual(self.balance(other), 1000)
        self.db.execute("BEGIN; UPDATE accounts SET balance = 1200 WHERE id = 1")
        self.assertEqual(self.balance(other), 1000)
        self.db.execute("COMMIT")
        self.assertEqual(self.balance(other), 1200)
        other.execute("COMMIT")

    def test_repeatable_read_stays(self):
        other = self.another()
        # As the guide has it: SET TRANSACTION before BEGIN governs the next transaction. PostgreSQL only warns, so that BEGIN repeats it.
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.assertEqual(self.balance(other), 1000)
        self.db.execute("UPDATE accounts SET balance = 1200 WHERE id = 1")
        self.db.execute("INSERT INTO accounts VALUES (3, 0)")
        self.assertEqual(self.balance(other), 1000)
        self.assertEqual(other.execute("SELECT count(*) FROM accounts").fetchone()[0], 2)
        with self.fails("40001"):
            other.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
        other.execute("ROLLBACK")

    def test_a_writer_waits_for_a_writer(self):
        other = self.another()
        self.db.execute("BEGIN; UPDATE accounts SET balance = balance + 1 WHERE id = 1")
        done = threading.Event()

        def update():
            other.execute("UPDATE accounts SET balance = balance + 10 WHERE id = 1")
            done.set()

        thread = threading.Thread(target=update)
        thread.start()
        self.assertFalse(done.wait(0.3), "the second writer did not wait")
        # A waiting session does not stop the others.
        self.assertEqual(self.another().execute("SELECT count(*) FROM accounts").fetchone()[0], 2)
        self.db.execute("COMMIT")
        thread.join(10)
        self.assertTrue(done.is_set())
        self.assertEqual(self.balance(), 1011)

    def test_an_insert_waits_for_the_same_key(self):
        other = self.another()
        self.db.execute("BEGIN; INSERT INTO accounts VALUES (5, 5)")
        failed = []

        def insert():
            try:
                other.execute("INSERT INTO accounts VALUES (5, 6)")
            except psycopg.Error as error:
                failed.append(error.sqlstate)

        thread = threading.Thread(target=insert)
        thread.start()
        time.sleep(0.2)
        self.assertTrue(thread.is_alive(), "the second insert did not wait")
        self.db.execute("COMMIT")
        thread.join(10)
        self.assertEqual(failed, ["23505"])

    def test_deadlock(self):
        other = self.another()
        self.db.execute("BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1")
        other.execute("BEGIN; UPDATE accounts SET balance = 2 WHERE id = 2")
        states = []

        def finish(db, wanted):
            try:
                db.execute(f"UPDATE accounts SET balance = 3 WHERE id = {wanted}")
                states.append("ok")
            except psycopg.Error as error:
                states.append(error.sqlstate)
                db.execute("ROLLBACK")

        in_threads(2, lambda number: finish([self.db, other][number], [2, 1][number]))
        self.assertEqual(sorted(states), ["40P01", "ok"])
        self.db.execute("ROLLBACK")
        other.execute("ROLLBACK")

    def test_lock_timeout_and_nowait(self):
        other = self.another()
        self.db.execute("BEGIN")
        self.db.execute("SELECT * FROM accounts WHERE id = 1 FOR UPDATE")
        with self.fails("55P03"):
            other.execute("SELECT * FROM accounts WHERE id = 1 FOR UPDATE NOWAIT")
        other.execute("SET lock_timeout = '100ms'")
        with self.fails("55P03"):
            other.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
        rows = other.execute("SELECT id FROM accounts ORDER BY id FOR UPDATE SKIP LOCKED").fetchall()
        self.assertEqual(rows, [(2,)])
        self.db.execute("ROLLBACK")

    def test_concurrent_increments_lose_none(self):
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            with self.subTest(level):
                self.db.execute("UPDATE accounts SET balance = 0 WHERE id = 1")

                def increment(_number):
                    with connect3(autocommit=True) as db:
                        db.execute(f"SET search_path TO {self.schema}")
                        done = 0
                        while done < 50:
                            try:
                                db.execute(f"BEGIN ISOLATION LEVEL {level}")
                                db.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
                                db.execute("COMMIT")
                                done += 1
                            except psycopg.errors.SerializationFailure:
                                db.execute("ROLLBACK")

                in_threads(8, increment)
                self.assertEqual(self.balance(), 400)

    def test_psycopg2_transactions(self):
        db = connect2()
        self.addCleanup(db.close)
        with db, db.cursor() as cursor:
            cursor.execute(f"SET search_path TO {self.schema}")
        try:
            with db, db.cursor() as cursor:
                cursor.execute("UPDATE accounts SET balance = 1")
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        self.assertEqual(self.balance(), 1000)
        db.set_session(isolation_level="SERIALIZABLE")
        with db, db.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            self.assertEqual(cursor.fetchone(), ("serializable",))
        self.assertEqual(db.status, psycopg2.extensions.STATUS_READY)

    def test_sequences_do_not_roll_back(self):
        self.db.execute("CREATE TABLE s (id serial, t text)")
        self.assertEqual(self.value("INSERT INTO s (t) VALUES ('a') RETURNING id"), 1)
        self.db.execute("BEGIN; INSERT INTO s (t) VALUES ('b'); ROLLBACK")
        self.assertEqual(self.value("INSERT INTO s (t) VALUES ('c') RETURNING id"), 3)


if __name__ == "__main__":
    unittest.main()
