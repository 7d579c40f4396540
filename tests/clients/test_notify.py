"""LISTEN and NOTIFY: delivered at commit, in commit order, to every session of the database that listens, the sender's too."""
import os
import select
import subprocess
import threading
import time
import unittest

import psycopg

from connections import ClientTest, connect2, in_threads


def received(db, timeout=5, stop_after=None):
    """What has come to a psycopg connection as (channel, payload); with `stop_after`, until there are so many."""
    quiet = 0.2 if stop_after is None else timeout
    return [(found.channel, found.payload) for found in db.notifies(timeout=quiet, stop_after=stop_after)]


class Notify(ClientTest):
    def test_delivered_at_commit_to_all_including_the_sender(self):
        listener = self.another()
        for db in (self.db, listener):
            db.execute("LISTEN news")
        sender = self.db.info.backend_pid
        with self.db.transaction():
            self.db.execute("NOTIFY news, 'first'")
            self.db.execute("SELECT pg_notify('news', 'second')")
            self.db.execute("NOTIFY other, 'nobody hears'")
            self.assertEqual(received(listener), [], "not before the commit")
        for db in (self.db, listener):
            found = list(db.notifies(timeout=5, stop_after=2))
            self.assertEqual([(one.channel, one.payload, one.pid) for one in found], [("news", "first", sender), ("news", "second", sender)])
        with self.assertRaises(ZeroDivisionError), self.db.transaction():
            self.db.execute("NOTIFY news, 'rolled back'")
            raise ZeroDivisionError
        self.assertEqual(received(listener), [])

    def test_idle_sessions_hear_at_once_and_those_in_a_block_after_it(self):
        idle, busy = self.another(), self.another()
        for db in (idle, busy):
            db.execute("LISTEN c")
        busy.execute("BEGIN")
        began = time.monotonic()
        self.db.execute("NOTIFY c, 'now'")
        self.assertEqual(received(idle, stop_after=1), [("c", "now")])
        self.assertLess(time.monotonic() - began, 1)
        busy.execute("SELECT 1")
        self.assertEqual(received(busy), [], "not within a block")
        busy.execute("COMMIT")
        self.assertEqual(received(busy, stop_after=1), [("c", "now")])

    def test_duplicates_collapse_within_a_transaction_and_savepoints_forget(self):
        self.db.execute("LISTEN c")
        with self.db.transaction():
            for payload in ("a", "b", "a"):
                self.db.execute("SELECT pg_notify('c', %s)", (payload,))
            self.db.execute("SAVEPOINT s")
            self.db.execute("NOTIFY c, 'forgotten'")
            self.db.execute("LISTEN d")
            self.db.execute("ROLLBACK TO s")
            self.db.execute("NOTIFY c, 'b'")
            self.db.execute("NOTIFY c, 'c'")
        self.assertEqual(received(self.db), [("c", "a"), ("c", "b"), ("c", "c")])
        self.assertEqual(self.value("SELECT array_agg(c) FROM pg_listening_channels() c"), ["c"])
        for _ in range(2):
            self.db.execute("NOTIFY c, 'of another transaction'")
        self.assertEqual(len(received(self.db, stop_after=2)), 2)

    def test_listening_begins_and_ends_with_a_commit(self):
        self.db.execute("BEGIN")
        self.db.execute("LISTEN c")
        self.assertEqual(self.value("SELECT count(*) FROM pg_listening_channels()"), 0)
        self.db.execute("NOTIFY c, 'own'")
        self.db.execute("COMMIT")
        self.assertEqual(received(self.db, stop_after=1), [("c", "own")])
        self.db.execute("BEGIN")
        self.db.execute("UNLISTEN c")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.value("SELECT count(*) FROM pg_listening_channels()"), 1)
        self.db.execute("UNLISTEN *")
        self.db.execute("NOTIFY c, 'unheard'")
        self.assertEqual(received(self.db), [])

    def test_the_order_is_that_of_the_commits(self):
        self.db.execute("CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, who int, what int)")
        self.db.execute("CREATE TABLE last (id int PRIMARY KEY, n int)")
        self.db.execute("INSERT INTO last VALUES (1, 0)")
        listeners = [self.another(), self.another()]
        for db in listeners:
            db.execute("LISTEN c")

        def work(_):
            db = self.another()
            for _ in range(25):
                with db.transaction():
                    n = db.execute("UPDATE last SET n = n + 1 WHERE id = 1 RETURNING n").fetchone()[0]
                    db.execute("SELECT pg_notify('c', %s)", (str(n),))

        in_threads(8, work)
        for db in listeners:
            self.assertEqual([int(payload) for _, payload in received(db, stop_after=200)], list(range(1, 201)))

    def test_a_notification_means_that_the_change_is_visible(self):
        self.db.execute("CREATE TABLE jobs (id int)")
        listener = self.another()
        listener.execute("LISTEN jobs")
        writer = self.another()

        def write():
            for number in range(100):
                with writer.transaction():
                    writer.execute("INSERT INTO jobs VALUES (%s)", (number,))
                    writer.execute("SELECT pg_notify('jobs', %s)", (str(number),))

        thread = threading.Thread(target=write)
        thread.start()
        for found in listener.notifies(timeout=10, stop_after=100):
            self.assertEqual(self.value("SELECT count(*) FROM jobs WHERE id = %s", (int(found.payload),)), 1)
        thread.join()

    def test_other_databases_hear_nothing(self):
        other = psycopg.connect("", dbname="template1", autocommit=True)
        self.addCleanup(other.close)
        other.execute("LISTEN c")
        self.db.execute("NOTIFY c")
        self.assertEqual(received(other), [])

    def test_refusals(self):
        for sql in ("SELECT pg_notify('', 'x')", "SELECT pg_notify(NULL, 'x')", "SELECT pg_notify(repeat('x', 64), '')",
                    "SELECT pg_notify('c', repeat('x', 8000))"):
            with self.fails("22023"):
                self.db.execute(sql)
        self.db.execute("SELECT pg_notify(repeat('x', 63), repeat('x', 7999))")
        with self.fails("42601"):
            self.db.execute("NOTIFY")
        self.db.execute("BEGIN")
        self.db.execute("NOTIFY c")
        with self.fails("55000"):
            self.db.execute("PREPARE TRANSACTION 'x'")
        self.assertEqual(self.db.info.transaction_status.name, "IDLE", "the transaction is over")

    def test_psycopg2_hears_while_idle(self):
        listener = connect2()
        self.addCleanup(listener.close)
        listener.autocommit = True
        listener.cursor().execute("LISTEN c")
        self.assertEqual(select.select([listener], [], [], 0), ([], [], []))
        self.db.execute("NOTIFY c, 'to psycopg2'")
        self.assertEqual(select.select([listener], [], [], 5), ([listener], [], []))
        listener.poll()
        found = listener.notifies.pop()
        self.assertEqual((found.channel, found.payload, found.pid), ("c", "to psycopg2", self.db.info.backend_pid))
        listener.cursor().execute("NOTIFY c")
        self.assertEqual([(own.channel, own.payload, own.pid) for own in listener.notifies], [("c", "", listener.info.backend_pid)])

    def test_psql_prints_them(self):
        sql = "LISTEN c; NOTIFY c; NOTIFY c, 'it''s'; SELECT 1;"
        printed = subprocess.run(["psql", "-XAtq"], input=sql.replace("; ", ";\n"), text=True, capture_output=True, env=os.environ).stdout
        pattern = (r'Asynchronous notification "c" received from server process with PID \d+\.\n'
                   r'Asynchronous notification "c" with payload "it\'s" received from server process with PID \d+\.\n1\n')
        self.assertRegex(printed, "^" + pattern + "$")

    def test_a_listener_that_does_not_read_holds_up_nobody(self):
        """Its socket fills, its notifications wait in the queue, and others notify, hear and query as before."""
        stuck, listener = self.another(), self.another()
        for db in (stuck, listener):
            db.execute("LISTEN flood")
        pid = stuck.info.backend_pid
        count = 4000
        began = time.monotonic()
        for start in range(0, count, 500):
            self.db.execute("SELECT pg_notify('flood', n || repeat('x', 7000)) FROM generate_series(%s::int, %s::int) n", (start, start + 499))
            self.assertEqual(len(received(listener, stop_after=500)), 500)
        self.assertLess(time.monotonic() - began, 30)
        self.assertGreater(self.value("SELECT pg_notification_queue_usage()"), 0)
        # Ending it empties the queue.
        self.assertTrue(self.value("SELECT pg_terminate_backend(%s)", (pid,)))
        for _ in range(100):
            if self.value("SELECT pg_notification_queue_usage()") == 0:
                break
            time.sleep(0.05)
        self.assertEqual(self.value("SELECT pg_notification_queue_usage()"), 0)

    @unittest.skipUnless(os.environ.get("HELIOSDB_NANO"), "PostgreSQL's queue is 8 GB")
    def test_a_full_queue_refuses_who_notifies_and_nobody_else(self):
        listener = self.another()
        listener.execute("LISTEN c")
        listener.execute("BEGIN")
        with self.fails("54000") as caught:
            for _ in range(64):
                self.db.execute("SELECT pg_notify('c', n || repeat('x', 7990)) FROM generate_series(100, 500) n")
        self.assertIn("too many notifications in the NOTIFY queue", str(caught.exception))
        self.assertEqual(self.value("SELECT 1"), 1)
        listener.close()
        self.db.execute("NOTIFY c, 'again'")


if __name__ == "__main__":
    unittest.main()
