"""Deferrable unique keys between sessions: a key two sessions want is had by one, at every isolation level."""
import threading
import unittest

import psycopg

from connections import ClientTest

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


class DeferrableKeys(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE keys (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    def outcome(self, work):
        try:
            work()
            return "00000"
        except psycopg.Error as error:
            return error.sqlstate

    def both(self, level, first_sql, second_sql):
        """Two transactions, the second begun before the first commits; the SQLSTATEs they end with."""
        first, second = self.another(), self.another()
        for session in (first, second):
            session.execute(f"BEGIN ISOLATION LEVEL {level}")
            session.execute("SELECT count(*) FROM keys")
        first.execute(first_sql)
        outcomes = {}

        def run_second():
            outcomes["second"] = self.outcome(lambda: (second.execute(second_sql), second.execute("COMMIT")))

        thread = threading.Thread(target=run_second)
        thread.start()
        thread.join(0.3)
        outcomes["first"] = self.outcome(lambda: first.execute("COMMIT"))
        thread.join(30)
        self.assertFalse(thread.is_alive(), "a session hangs")
        return outcomes["first"], outcomes["second"]

    def test_one_of_two_inserts_of_a_key_fails(self):
        for level in LEVELS:
            with self.subTest(level):
                outcomes = self.both(level, "INSERT INTO keys VALUES (1)", "INSERT INTO keys VALUES (1)")
                self.assertEqual(outcomes.count("00000"), 1, outcomes)
                self.assertIn(max(outcomes), ["23505", "40001"])
                self.assertEqual(self.value("SELECT count(*) FROM keys"), 1)
                self.db.execute("DELETE FROM keys")

    def test_an_insert_waits_for_an_uncommitted_delete(self):
        for level in LEVELS[:2]:
            with self.subTest(level):
                self.db.execute("INSERT INTO keys VALUES (7)")
                outcomes = self.both(level, "DELETE FROM keys", "INSERT INTO keys VALUES (7)")
                self.assertEqual(outcomes, ("00000", "00000"))
                self.assertEqual(self.value("SELECT count(*) FROM keys"), 1)
                self.db.execute("DELETE FROM keys")


if __name__ == "__main__":
    unittest.main()
