"""The corners of the protocol that drivers reach: COPY, cursors, pipelines, cancellation, and sizes."""
import io
import os
import socket
import struct
import threading
import time
import unittest

import psycopg

from connections import ClientTest, connect2, connect3
from raw_protocol import Raw


class Copy(ClientTest):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE t (a int, b text, c numeric)")

    def test_formats_there_and_back(self):
        rows = [(1, "plain", None), (2, "tab\tnew\nline \\ \"quote\", comma", 1.5), (3, None, 2), (4, "", 0), (5, "\\N", -1)]
        with self.db.cursor() as cursor:
            with cursor.copy("COPY t FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            self.assertEqual(cursor.rowcount, 5)
        before = self.db.execute("SELECT * FROM t ORDER BY a").fetchall()
        for form in ("FORMAT text", "FORMAT csv", "FORMAT binary", "FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE (b)", "FORMAT text, NULL 'nil'"):
            with self.subTest(form):
                with self.db.cursor() as cursor, cursor.copy(f"COPY t TO STDOUT ({form})") as copy:
                    data = b"".join(bytes(piece) for piece in copy)
                self.db.execute("TRUNCATE t")
                read_form = form.replace(", FORCE_QUOTE (b)", "")
                with self.db.cursor() as cursor, cursor.copy(f"COPY t FROM STDIN ({read_form})") as copy:
                    # In pieces that end anywhere.
                    for at in range(0, len(data), 7):
                        copy.write(data[at: at + 7])
                self.assertEqual(self.db.execute("SELECT * FROM t ORDER BY a").fetchall(), before)

    def test_exact_text(self):
        self.db.execute("INSERT INTO t VALUES (1, E'a\\tb', 1.10), (2, NULL, NULL)")
        with self.db.cursor() as cursor, cursor.copy("COPY (SELECT * FROM t ORDER BY a) TO STDOUT") as copy:
            self.assertEqual(b"".join(bytes(piece) for piece in copy), b"1\ta\\tb\t1.10\n2\t\\N\t\\N\n")

    def test_quoted_columns_of_a_query(self):
        query = "COPY (SELECT 1 AS a, 'x' AS b, NULL AS c) TO STDOUT (FORMAT csv, FORCE_QUOTE ({}))"
        with self.db.cursor() as cursor, cursor.copy(query.format("a, c")) as copy:
            self.assertEqual(b"".join(bytes(piece) for piece in copy), b'"1",x,\n')
        for columns, sqlstate in [("a, d", "42703"), ("a, a", "42701")]:
            with self.fails(sqlstate), self.db.cursor() as cursor, cursor.copy(query.format(columns)) as copy:
                copy.read()

    def test_a_bad_line_undoes_all(self):
        with self.fails("22P02") as caught, self.db.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            copy.write("1\tx\t1\nnot a number\tx\t1\n")
        self.assertIn("COPY t, line 2, column a", caught.exception.diag.context)
        with self.fails("22P04"), self.db.cursor() as cursor, cursor.copy("COPY t (a, b) FROM STDIN") as copy:
            copy.write("1\tx\n2\n")
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)

    def test_a_client_that_gives_up(self):
        with self.assertRaises(ZeroDivisionError), self.db.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            copy.write("1\tx\t1\n")
            raise ZeroDivisionError
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)

    def test_a_client_that_vanishes(self):
        victim = self.another()
        unfinished = victim.cursor().copy("COPY t FROM STDIN")
        unfinished.__enter__().write("1\tx\t1\n" * 1000)
        # Cut the connection beneath libpq: no good-bye.
        with socket.socket(fileno=os.dup(victim.fileno())) as beneath:
            beneath.shutdown(socket.SHUT_RDWR)
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)
        self.db.execute("INSERT INTO t VALUES (1)")

    def test_psycopg2_copy(self):
        db = connect2()
        self.addCleanup(db.close)
        with db.cursor() as cursor:
            cursor.execute(f"SET search_path TO {self.schema}")
            cursor.copy_expert("COPY t FROM STDIN (FORMAT csv)", io.StringIO('1,"a ""b""",2.5\n2,,\n'))
            out = io.StringIO()
            cursor.copy_expert("COPY t TO STDOUT (FORMAT csv)", out)
        db.commit()
        self.assertEqual(out.getvalue(), '1,"a ""b""",2.5\n2,,\n')


class Statements(ClientTest):
    def raw(self):
        """A connection of which every byte is the test's own."""
        raw = Raw(self.db.info.port, self.db.info.host)
        raw.start_up(self.db.info.user, self.db.info.dbname)
        raw.until_ready()
        return raw

    def test_prepared_statements_follow_the_schema(self):
        self.db.execute("CREATE TABLE t (a int)")
        for number in range(10):
            self.db.execute("INSERT INTO t VALUES (%s)", [number], prepare=True)
        query = "SELECT sum(a) FROM t WHERE a < %s"
        for limit in range(8):
            self.assertEqual(self.value(query, [limit], prepare=True), sum(range(limit)) if limit else None)
        self.db.execute("CREATE INDEX ON t (a)")
        self.db.execute("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'")
        self.assertEqual(self.value(query, [5], prepare=True), 10)

    def test_server_side_cursors(self):
        with self.db.transaction(), self.db.cursor(name="many") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT n, n * n FROM generate_series(1, 1050) AS n")
            self.assertEqual(sum(square for _, square in cursor), sum(n * n for n in range(1, 1051)))
        db = connect2()
        self.addCleanup(db.close)
        with db, db.cursor("named", scrollable=True) as cursor:
            cursor.execute("SELECT * FROM generate_series(1, 10)")
            self.assertEqual(cursor.fetchmany(3), [(1,), (2,), (3,)])
            cursor.scroll(-2)
            self.assertEqual(cursor.fetchone(), (2,))

    def test_parameters_within_statements_of_other_kinds(self):
        lines = self.db.execute("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT * FROM generate_series(1, %s::int) AS g WHERE g > %s", [5, 2])
        self.assertIn("rows=3 loops=1", lines.fetchone()[0])
        with self.db.transaction():
            self.db.execute("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 10) AS g WHERE g > %s", [7])
            self.assertEqual(self.db.execute("FETCH ALL FROM c").fetchall(), [(8,), (9,), (10,)])
        for made in (
            self.db.execute("CREATE TEMP TABLE made AS SELECT g, %s AS note FROM generate_series(1, %s::int) AS g", ["x", 2]),
            self.db.execute("SELECT g, %s::text AS note INTO TEMP selected FROM generate_series(1, %s::int) AS g", ["x", 2]),
        ):
            self.assertEqual(made.statusmessage, "SELECT 2")
        self.assertEqual(self.db.execute("TABLE made").fetchall(), [(1, "x"), (2, "x")])
        self.assertEqual(self.db.execute("TABLE selected").fetchall(), [(1, "x"), (2, "x")])
        with self.assertRaisesRegex(psycopg.errors.FeatureNotSupported, "materialized views may not be defined using bound parameters"):
            self.db.execute("CREATE MATERIALIZED VIEW made_view AS SELECT %s::int", [1])

    def test_portals_are_cursors(self):
        with self.raw() as raw:
            def portal(name, text):
                raw.send(b"P", b"\0" + text + b"\0\0\0")
                raw.send(b"B", name + b"\0\0\0\0\0\0\0\0")

            def answer(text):
                """The rows' values, then the tag, or the error's SQLSTATE; the transaction stays open."""
                portal(b"", text)
                raw.send(b"E", b"\0\0\0\0\0")
                raw.send(b"H")
                rows = []
                while True:
                    kind, body = raw.message()
                    if kind == b"D":
                        rows.append(int(body[6:]))
                    elif kind == b"C":
                        return rows, body[:-1].decode()
                    elif kind == b"E":
                        return next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")

            portal(b"p", b"SELECT g FROM generate_series(1, 10) AS g")
            self.assertEqual(answer(b"FETCH 2 FROM p"), ([1, 2], "FETCH 2"))
            self.assertEqual(answer(b"MOVE 3 IN p"), ([], "MOVE 3"))
            self.assertEqual(answer(b"FETCH p"), ([6], "FETCH 1"))
            # Two rows by the protocol, the others by the statement.
            raw.send(b"E", b"p\0" + struct.pack("!i", 2))
            self.assertEqual(answer(b"FETCH ALL FROM p"), ([7, 8, 9, 10], "FETCH 2"))
            self.assertEqual(answer(b"CLOSE p"), ([], "CLOSE CURSOR"))
            self.assertEqual(answer(b"FETCH p"), "34000")
            raw.send(b"S")
            raw.until_ready()
            portal(b"p", b"SELECT 1")
            self.assertEqual(answer(b"FETCH BACKWARD 1 FROM p"), "55000")
            raw.send(b"S")
            raw.until_ready()
            # A portal that would fetch from itself.
            portal(b"p", b"FETCH p")
            raw.send(b"E", b"p\0\0\0\0\0")
            raw.send(b"S")
            self.assertIn(raw.error()["C"], ("34000", "55000"))
            raw.until_ready()

    def test_a_changed_shape_is_told_as_drivers_expect(self):
        self.db.execute("CREATE TABLE t (a int)")
        with self.raw() as raw:
            raw.send(b"P", b"s\0SELECT * FROM " + self.schema.encode() + b".t\0\0\0")
            raw.send(b"S")
            raw.until_ready()
            self.db.execute("ALTER TABLE t ADD COLUMN b text")
            raw.send(b"B", b"\0s\0\0\0\0\0\0\0")
            raw.send(b"E", b"\0\0\0\0\0")
            raw.send(b"S")
            error = raw.error()
            self.assertEqual((error["C"], error["M"], error["R"]), ("0A000", "cached plan must not change result type", "RevalidateCachedQuery"))

    def test_pipelines(self):
        self.db.execute("CREATE TABLE t (a int PRIMARY KEY)")
        with self.db.pipeline():
            cursors = [self.db.execute("INSERT INTO t VALUES (%s) RETURNING a", [number]) for number in range(100)]
        self.assertEqual([cursor.fetchone()[0] for cursor in cursors], list(range(100)))
        with self.assertRaises(psycopg.Error):
            with self.db.pipeline():
                self.db.execute("INSERT INTO t VALUES (1000)")
                self.db.execute("INSERT INTO t VALUES (1)")
                self.db.execute("INSERT INTO t VALUES (1001)")
        # Up to the synchronisation a pipeline is one transaction.
        self.assertEqual(self.value("SELECT count(*) FROM t"), 100)

    def test_scripts_are_one_transaction(self):
        self.db.execute("CREATE TABLE t (a int)")
        with self.fails("22012"):
            self.db.execute("INSERT INTO t VALUES (1); SELECT 1/0; INSERT INTO t VALUES (2)")
        self.assertEqual(self.value("SELECT count(*) FROM t"), 0)
        self.db.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
        self.assertEqual(self.value("SELECT count(*) FROM t"), 2)

    def test_command_tags(self):
        for sql, tag in [("CREATE TABLE t (a int)", "CREATE TABLE"), ("INSERT INTO t VALUES (1), (2)", "INSERT 0 2"),
                         ("UPDATE t SET a = 3", "UPDATE 2"), ("SELECT * FROM t", "SELECT 2"), ("DELETE FROM t WHERE a = 9", "DELETE 0"),
                         ("CREATE TABLE u AS SELECT * FROM t", "SELECT 2"), ("TRUNCATE t", "TRUNCATE TABLE"), ("VACUUM", "VACUUM"),
                         ("SET work_mem = '8MB'", "SET"), ("BEGIN", "BEGIN"), ("ROLLBACK", "ROLLBACK"), ("CREATE VIEW v AS SELECT 1", "CREATE VIEW")]:
            with self.subTest(sql):
                self.assertEqual(self.db.execute(sql).statusmessage, tag)

    def test_announced_settings(self):
        for name, value in [("standard_conforming_strings", "on"), ("client_encoding", "UTF8"), ("server_encoding", "UTF8"),
                            ("integer_datetimes", "on"), ("DateStyle", "ISO, MDY")]:
            self.assertEqual(self.db.info.parameter_status(name), value)
        self.assertTrue(self.db.info.parameter_status("server_version").startswith("15."))
        self.assertEqual(self.db.info.server_version // 10000, 15)
        self.db.execute("SET application_name TO 'me'")
        self.assertEqual(self.db.info.parameter_status("application_name"), "me")
        self.assertEqual(self.value("SELECT current_setting('application_name')"), "me")


class Cancellation(ClientTest):
    def cancelled(self, sql, cancel):
        timer = threading.Timer(0.3, cancel)
        timer.start()
        started = time.monotonic()
        with self.fails("57014"):
            self.db.execute(sql)
        timer.join()
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(self.value("SELECT 1"), 1)

    def test_a_sleep(self):
        self.cancelled("SELECT pg_sleep(20)", self.db.cancel)

    def test_a_long_query(self):
        self.cancelled("SELECT count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b", self.db.cancel)

    def test_a_lock_wait(self):
        self.db.execute("CREATE TABLE t (a int)")
        self.db.execute("INSERT INTO t VALUES (1)")
        other = self.another()
        other.execute("BEGIN; UPDATE t SET a = 2")
        self.cancelled("UPDATE t SET a = 3", self.db.cancel)
        other.execute("COMMIT")

    def test_by_itself(self):
        with self.fails("57014"):
            self.db.execute("SELECT pg_cancel_backend(pg_backend_pid())")
        self.assertEqual(self.value("SELECT 1"), 1)
        with self.fails("57P01"):
            self.db.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        self.assertTrue(self.db.closed)

    def test_by_another_session(self):
        pid = self.db.info.backend_pid
        other = self.another()
        self.cancelled("SELECT pg_sleep(20)", lambda: other.execute("SELECT pg_cancel_backend(%s)", [pid]))

    def test_statement_timeout(self):
        self.db.execute("SET statement_timeout = '100ms'")
        with self.fails("57014") as caught:
            self.db.execute("SELECT pg_sleep(20)")
        self.assertIn("statement timeout", str(caught.exception))

    def test_a_wrong_key_cancels_nothing(self):
        pid = self.db.info.backend_pid
        host, port = os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))
        if host.startswith("/"):
            self.skipTest("needs TCP")
        with socket.create_connection((host, port)) as client:
            threading.Timer(0.1, lambda: client.sendall(struct.pack("!iiii", 16, 80877102, pid, 12345))).start()
            self.db.execute("SELECT pg_sleep(0.5)")


class Sizes(ClientTest):
    def test_most_parameters(self):
        self.assertEqual(self.value(f"SELECT {' + '.join(['%s::int'] * 500)}", list(range(500))), sum(range(500)))
        marks = ", ".join(["%s"] * 65535)
        self.assertEqual(self.value(f"SELECT count(*) FROM unnest(ARRAY[{marks}]::int[]) AS n", list(range(65535))), 65535)
        with self.assertRaises(psycopg.OperationalError):
            self.value(f"SELECT array_length(ARRAY[{marks}, %s]::int[], 1)", list(range(65536)))

    def test_a_statement_of_10_mb(self):
        text = "x" * 10_000_000
        self.assertEqual(self.value(f"SELECT length('{text}')"), 10_000_000)
        self.assertEqual(self.value("SELECT length(%s)", [text]), 10_000_000)
        self.assertEqual(len(self.value("SELECT repeat('y', 10000000)")), 10_000_000)

    def test_a_wide_and_a_long_insert(self):
        self.db.execute("CREATE TABLE t (a int, b text)")
        values = ", ".join(f"({number}, 'row {number}')" for number in range(20000))
        self.assertEqual(self.db.execute(f"INSERT INTO t VALUES {values}").rowcount, 20000)
        self.assertEqual(self.db.execute("SELECT count(*), sum(a) FROM t").fetchone(), (20000, 199990000))

    def test_deep_nesting(self):
        for sql in ("SELECT " + "(" * 10000 + "1" + ")" * 10000,
                    "SELECT " + "NOT " * 10000 + "true",
                    "SELECT * FROM " + "(SELECT * FROM " * 10000 + "t" + ") AS s" * 10000,
                    "SELECT " + "ARRAY[" * 10000 + "1" + "]" * 10000,
                    "SELECT " + "-(" * 10000 + "1" + ")" * 10000):
            with self.subTest(sql[:30]):
                with self.assertRaises(psycopg.Error) as caught:
                    self.db.execute(sql).fetchone()
                self.assertIn(caught.exception.sqlstate, ("54001", "54000", "42601"))
                self.assertEqual(self.value("SELECT 1"), 1)

    def test_long_chains(self):
        self.assertEqual(self.value("SELECT " + " + ".join(["1"] * 1500)), 1500)
        self.assertEqual(self.value("SELECT 5 IN (" + ", ".join(map(str, range(20000))) + ")"), True)

    def test_deep_json(self):
        with self.assertRaises(psycopg.Error) as caught:
            self.db.execute("SELECT %s::json", ["[" * 100000])
        self.assertIn(caught.exception.sqlstate, ("54001", "22P02"))

    def test_invalid_utf8(self):
        with self.fails("22021"):
            self.db.execute(b"SELECT '\xff'")
        with self.fails("22021"):
            self.db.execute("SELECT convert_from('\\xff', 'UTF8')")
        with self.fails("22021"):
            self.db.execute(b"SELECT 'a\xc3'")
        self.assertEqual(self.value("SELECT 'ü'"), "ü")


class Sessions(ClientTest):
    def test_many_sessions(self):
        sessions = [connect3(autocommit=True) for _ in range(60)]
        try:
            for number, session in enumerate(sessions):
                self.assertEqual(session.execute("SELECT %s::int", [number]).fetchone()[0], number)
            count = self.value("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [[s.info.backend_pid for s in sessions]])
            self.assertEqual(count, 60)
        finally:
            for session in sessions:
                session.close()

    def test_termination(self):
        victim = self.another()
        self.assertIs(self.value("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid]), True)
        with self.assertRaises(psycopg.OperationalError):
            for _ in range(50):
                victim.execute("SELECT 1")
                time.sleep(0.05)

    def test_a_closed_session_rolls_back(self):
        self.db.execute("CREATE TABLE t (a int)")
        other = self.another()
        other.execute("BEGIN; INSERT INTO t VALUES (1); LOCK TABLE t")
        other.close()
        self.db.execute("SET lock_timeout = '5s'")
        self.db.execute("INSERT INTO t VALUES (2)")
        self.assertEqual(self.db.execute("SELECT a FROM t").fetchall(), [(2,)])

    def test_unknown_database(self):
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect3(dbname="no_such_database")
        self.assertIn('database "no_such_database" does not exist', str(caught.exception))

    def test_databases_are_apart(self):
        self.db.execute("DROP DATABASE IF EXISTS copy_of_app")
        self.db.execute("DROP DATABASE IF EXISTS app")
        self.db.execute("CREATE DATABASE app")
        with connect3(dbname="app", autocommit=True) as app:
            app.execute("CREATE TABLE t (a int PRIMARY KEY)")
            app.execute("INSERT INTO t VALUES (1)")
        self.db.execute("CREATE DATABASE copy_of_app TEMPLATE app")
        with connect3(dbname="copy_of_app", autocommit=True) as copy:
            copy.execute("INSERT INTO t VALUES (2)")
            self.assertEqual(copy.execute("SELECT count(*) FROM t").fetchone()[0], 2)
        with connect3(dbname="app") as app:
            self.assertEqual(app.execute("SELECT count(*) FROM t").fetchone()[0], 1)
        with self.fails("42P01"):
            self.db.execute("SELECT * FROM t")
        self.db.execute("DROP DATABASE copy_of_app")
        self.db.execute("DROP DATABASE app")


if __name__ == "__main__":
    unittest.main()
