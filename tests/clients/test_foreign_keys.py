"""Foreign keys between sessions: whoever references a row keeps it there, at every isolation level."""
import threading
import unittest

import psycopg

from connections import ClientTest, connect3, in_threads

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


class ForeignKeys(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE parent (id int PRIMARY KEY, note text)")
        self.db.execute("CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)")
        self.db.execute("INSERT INTO parent VALUES (1, 'a'), (2, 'b')")

    def dangling(self):
        return self.value("SELECT count(*) FROM child WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM parent)")

    def in_background(self, work):
        """Starts work in a thread; the returned function waits for it and gives the SQLSTATE it ended with."""
        outcome = []

        def run():
            try:
                work()
                outcome.append("00000")
            except psycopg.Error as error:
                outcome.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()

        def finish():
            thread.join(30)
            self.assertFalse(thread.is_alive(), "a session hangs")
            return outcome[0]

        return finish, thread

    def test_a_delete_waits_for_an_uncommitted_reference(self):
        for level in LEVELS[:2]:
            with self.subTest(level):
                writer, deleter = self.another(), self.another()
                writer.execute(f"BEGIN ISOLATION LEVEL {level}")
                writer.execute("INSERT INTO child VALUES (1, 1)")
                deleter.execute(f"BEGIN ISOLATION LEVEL {level}")
                finish, thread = self.in_background(lambda: deleter.execute("DELETE FROM parent WHERE id = 1"))
                thread.join(0.3)
                self.assertTrue(thread.is_alive(), "the delete did not wait")
                writer.execute("COMMIT")
                self.assertEqual(finish(), "23503")
                deleter.execute("ROLLBACK")
                self.db.execute("DELETE FROM child")

    def test_a_reference_waits_for_an_uncommitted_delete(self):
        writer, deleter = self.another(), self.another()
        for end, expected in [("ROLLBACK", "00000"), ("COMMIT", "23503")]:
            with self.subTest(end):
                deleter.execute("BEGIN; DELETE FROM parent WHERE id = 2")
                finish, thread = self.in_background(lambda: writer.execute("INSERT INTO child VALUES (7, 2)"))
                thread.join(0.3)
                self.assertTrue(thread.is_alive(), "the insert did not wait")
                deleter.execute(end)
                self.assertEqual(finish(), expected)
                self.db.execute("DELETE FROM child")

    def test_other_columns_of_a_referenced_row_may_change(self):
        writer = self.another()
        writer.execute("BEGIN; INSERT INTO child VALUES (1, 1)")
        self.db.execute("SET lock_timeout = '2s'")
        self.db.execute("UPDATE parent SET note = 'changed' WHERE id = 1")
        writer.execute("COMMIT")
        self.assertEqual(self.dangling(), 0)

    def test_a_serializable_delete_meets_a_newer_reference_at_its_commit(self):
        deleter = self.another()
        deleter.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; DELETE FROM parent WHERE id = 1")
        self.db.execute("SET statement_timeout = '5s'")
        outcome = "00000"
        try:
            self.db.execute("INSERT INTO child VALUES (1, 1)")
            deleter.execute("COMMIT")
        except psycopg.Error as error:
            outcome = error.sqlstate
        deleter.close()
        # The guide's SERIALIZABLE is optimistic: neither blocks, and who commits last fails.
        self.assertEqual(outcome, "40001")
        self.assertEqual(self.dangling(), 0)

    def test_a_snapshot_cascade_does_not_leave_newer_rows_behind(self):
        self.db.execute("ALTER TABLE child DROP CONSTRAINT child_parent_fkey")
        self.db.execute("ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE")
        deleter = self.another()
        deleter.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        deleter.execute("SELECT count(*) FROM child")
        self.db.execute("INSERT INTO child VALUES (5, 1)")
        with self.fails("40001"):
            deleter.execute("DELETE FROM parent WHERE id = 1")
        deleter.execute("ROLLBACK")
        self.db.execute("DELETE FROM parent WHERE id = 1")
        self.assertEqual(self.value("SELECT count(*) FROM child"), 0)

    def test_nothing_dangles_after_a_storm(self):
        for level in LEVELS:
            with self.subTest(level):
                self.db.execute("TRUNCATE parent, child")
                self.db.execute("INSERT INTO parent SELECT g, '' FROM generate_series(1, 8) g")
                schema = self.schema

                def work(number):
                    with connect3(autocommit=True) as db:
                        db.execute(f"SET search_path TO {schema}")
                        db.execute(f"SET default_transaction_isolation = '{level.lower()}'")
                        for step in range(60):
                            key = (number * 7 + step * 3) % 8 + 1
                            try:
                                if number % 2:
                                    db.execute("INSERT INTO child VALUES (%s, %s)", [number * 1000 + step, key])
                                elif step % 2:
                                    db.execute("DELETE FROM parent WHERE id = %s", [key])
                                else:
                                    db.execute("INSERT INTO parent VALUES (%s, '') ON CONFLICT DO NOTHING", [key])
                            except psycopg.Error as error:
                                if error.sqlstate not in ("23503", "40001", "40P01", "23505"):
                                    raise

                in_threads(8, work)
                self.assertEqual(self.dangling(), 0)


if __name__ == "__main__":
    unittest.main()
