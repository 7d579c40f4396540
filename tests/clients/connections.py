"""Connections to the server under test, which libpq's variables name, and checks that several tests share."""
import contextlib
import threading
import unittest

import psycopg
import psycopg2


def connect2(**options):
    return psycopg2.connect("", **options)


def connect3(**options):
    return psycopg.connect("", **options)


class ClientTest(unittest.TestCase):
    """A test with an autocommitted psycopg connection, `self.db`, in a schema of its own that is dropped at the end."""

    def setUp(self):
        self.db = connect3(autocommit=True)
        # Tests prepare when they mean to (prepare=True), not because a text came by for the fifth time.
        self.db.prepare_threshold = None
        self.schema = f"t_{self.id().rsplit('.', 1)[1]}"[:60].lower()
        self.db.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        self.db.execute(f"CREATE SCHEMA {self.schema}")
        self.db.execute(f"SET search_path TO {self.schema}")

    def tearDown(self):
        self.db.close()
        with connect3(autocommit=True) as db:
            db.execute(f"DROP SCHEMA {self.schema} CASCADE")

    def another(self, **options):
        """One more connection, in the same schema."""
        db = connect3(autocommit=True, **options)
        self.addCleanup(db.close)
        db.execute(f"SET search_path TO {self.schema}")
        return db

    def value(self, sql, parameters=None, **options):
        return self.db.execute(sql, parameters, **options).fetchone()[0]

    @contextlib.contextmanager
    def fails(self, sqlstate):
        with self.assertRaises(psycopg.Error) as caught:
            yield caught
        self.assertEqual(caught.exception.sqlstate, sqlstate, str(caught.exception))


def in_threads(count, work):
    """Runs work(number) in as many threads at once; raises the first error."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            raise AssertionError("a session hangs")
    if errors:
        raise errors[0]
