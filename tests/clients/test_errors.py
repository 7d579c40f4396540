"""Errors: their fields, and what they do to a transaction."""
import unittest

import psycopg

from connections import ClientTest


class Errors(ClientTest):
    def test_unique(self):
        self.db.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT pair UNIQUE (a, b))")
        self.db.execute("INSERT INTO t VALUES (1, 1, 1)")
        with self.fails("23505") as caught:
            self.db.execute("INSERT INTO t VALUES (1, 2, 2)")
        diagnostics = caught.exception.diag
        self.assertEqual(diagnostics.message_primary, 'duplicate key value violates unique constraint "t_pkey"')
        self.assertEqual(diagnostics.message_detail, "Key (id)=(1) already exists.")
        self.assertEqual((diagnostics.schema_name, diagnostics.table_name, diagnostics.constraint_name), (self.schema, "t", "t_pkey"))
        with self.fails("23505") as caught:
            self.db.execute("INSERT INTO t VALUES (2, 1, 1)")
        self.assertEqual(caught.exception.diag.message_detail, "Key (a, b)=(1, 1) already exists.")
        # NULLs are no duplicates of each other.
        self.db.execute("INSERT INTO t VALUES (3, 1, NULL), (4, 1, NULL)")

    def test_not_null_and_check(self):
        self.db.execute("CREATE TABLE t (a int NOT NULL, b int CONSTRAINT positive CHECK (b > 0))")
        with self.fails("23502") as caught:
            self.db.execute("INSERT INTO t (b) VALUES (1)")
        diagnostics = caught.exception.diag
        self.assertEqual((diagnostics.table_name, diagnostics.column_name), ("t", "a"))
        self.assertEqual(diagnostics.message_detail, "Failing row contains (null, 1).")
        with self.fails("23514") as caught:
            self.db.execute("INSERT INTO t VALUES (1, 0)")
        self.assertEqual(caught.exception.diag.constraint_name, "positive")
        # With parameters as without.
        with self.fails("23514"):
            self.db.execute("INSERT INTO t VALUES (%s, %s)", [1, -1])
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)

    def test_positions(self):
        with self.fails("42703") as caught:
            self.db.execute("SELECT 1, größe FROM (SELECT 1 AS a) AS t")
        self.assertEqual(caught.exception.diag.statement_position, "11")
        with self.fails("42601") as caught:
            self.db.execute("SELEC 1")
        self.assertEqual(caught.exception.diag.statement_position, "1")
        self.assertEqual(caught.exception.diag.message_primary, 'syntax error at or near "SELEC"')

    def test_sqlstates(self):
        for sql, sqlstate in [
            ("SELECT 1/0", "22012"), ("SELECT 2147483647 + 1", "22003"), ("SELECT 'x'::int", "22P02"), ("SELECT * FROM missing", "42P01"),
            ("SELECT missing(1)", "42883"), ("SELECT 1 + 'a'::text", "42883"), ("SELECT '2026-02-30'::date", "22008"),
            ("SELECT a FROM (SELECT 1 AS a, 2 AS a) t", "42702"), ("CREATE TABLE t (a int, a int)", "42701"),
            ("SELECT repeat('a', 2)::char(1) || 1/0", "22012"), ("INSERT INTO missing VALUES (1)", "42P01"),
            ("SELECT sum(1) FROM (SELECT 1) t WHERE sum(1) > 0", "42803"), ("SET no_such_setting = 1", "42704"),
            ("SELECT 1.5::bit(2)", "42846"), ("SELECT (SELECT 1 UNION SELECT 2)", "21000"),
            ("DROP TABLE missing", "42P01"), ("SELECT '\\xZZ'::bytea", "22023"),
        ]:
            with self.subTest(sql), self.fails(sqlstate):
                self.db.execute(sql)

    def test_a_failed_block_waits_for_its_end(self):
        self.db.execute("CREATE TABLE t (a int)")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO t VALUES (1)")
        with self.fails("22012"):
            self.db.execute("SELECT 1/0")
        with self.fails("25P02"):
            self.db.execute("SELECT 1")
        self.assertEqual(self.db.info.transaction_status, psycopg.pq.TransactionStatus.INERROR)
        self.assertEqual(self.db.execute("COMMIT").statusmessage, "ROLLBACK")
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)

    def test_a_failed_statement_leaves_nothing(self):
        self.db.execute("CREATE TABLE t (a int PRIMARY KEY)")
        with self.fails("23505"):
            self.db.execute("INSERT INTO t SELECT n % 50 FROM generate_series(1, 100) AS n")
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)
        self.db.execute("INSERT INTO t VALUES (1)")

    def test_warnings_and_notices(self):
        heard = []
        self.db.add_notice_handler(lambda notice: heard.append((notice.severity, notice.sqlstate, notice.message_primary)))
        self.db.execute("COMMIT")
        self.db.execute("DROP TABLE IF EXISTS missing")
        self.assertEqual(heard, [("WARNING", "25P01", "there is no transaction in progress"),
                                 ("NOTICE", "00000", 'table "missing" does not exist, skipping')])
        heard.clear()
        for level, count in (("warning", 0), ("notice", 1), ("error", 0)):
            self.db.execute(f"SET client_min_messages = {level}")
            self.db.execute("DROP TABLE IF EXISTS missing")
            self.assertEqual(len(heard), count, level)
            heard.clear()


if __name__ == "__main__":
    unittest.main()
