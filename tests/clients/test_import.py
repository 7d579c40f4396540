"""`import`: a SQLite file and a running PostgreSQL into ours. Needs HELIOSDB_NANO, the program under test."""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "tools"))
from local_postgres import PROGRAMS, local_postgres
from local_server import LocalServer, find_program

BINARY = os.environ.get("HELIOSDB_NANO")

SCHEMA = r"""
CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(20) NOT NULL UNIQUE, born DATE, score REAL DEFAULT 1.5, active BOOLEAN DEFAULT 1,
    seen TIMESTAMP DEFAULT CURRENT_TIMESTAMP, note, meta JSON, key UUID, photo BLOB, price DECIMAL(10,2) CHECK (price >= 0), CHECK (length(name) < 50));
CREATE TABLE "Odd ""books" (isbn TEXT PRIMARY KEY, author INT REFERENCES authors ON DELETE CASCADE, "Select" TEXT DEFAULT 'it''s', a INT, b INT, UNIQUE (a, b)) WITHOUT ROWID;
CREATE TABLE pairs (x INT, y INT, mixed INT, when_ DATETIME, PRIMARY KEY (y, x), FOREIGN KEY (x) REFERENCES authors (id));
CREATE TABLE empty_one (a INT);
CREATE INDEX by_author ON "Odd ""books" (author DESC, isbn);
CREATE UNIQUE INDEX active_names ON authors (name) WHERE active;
CREATE INDEX lowered ON authors (lower(name));
CREATE VIEW born_late AS SELECT name FROM authors WHERE born > '1950-01-01';
CREATE VIEW odd AS SELECT group_concat(name, '-') FROM authors;
CREATE TRIGGER t AFTER INSERT ON authors BEGIN SELECT 1; END;
INSERT INTO authors VALUES (1, 'Ada', '1815-12-10', 1, 1, '2020-01-01 10:00:00', 5, '{"a": [1]}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', x'00ff', 9.99),
    (7, 'Tab' || char(9) || 'by\N' || char(10), NULL, 2.5, 0, '2020-01-01 10:00:00.25', 2.5, NULL, NULL, NULL, NULL);
INSERT INTO "Odd ""books" VALUES ('1', 1, 'x', 1, 2), ('2', 7, NULL, 1, 3);
INSERT INTO pairs VALUES (1, 2, 3, '2020-01-01T00:00:00'), (7, 2, 'text', 'yesterday');
"""


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
class ImportTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        server = LocalServer(BINARY)
        server.__enter__()
        self.addCleanup(server.__exit__)
        self.environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(server.port), PGUSER="postgres", PGDATABASE="heliosdb")

    def run_import(self, *arguments):
        return subprocess.run([BINARY, "import", *map(str, arguments)], env=self.environment, text=True, capture_output=True, timeout=120)

    def psql(self, sql, **environment):
        done = subprocess.run([find_program("psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql], env=dict(self.environment, **environment), text=True,
            capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def sqlite(self, script=SCHEMA):
        path = self.directory / "source.db"
        with sqlite3.connect(path) as db:
            db.executescript(script)
        return path

    def tables(self):
        return self.psql("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384")

    def test_a_sqlite_file(self):
        done = self.run_import("--from", self.sqlite(), "--verbose")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 tables, 6 rows imported", done.stderr)
        warnings = [line for line in done.stderr.splitlines() if "not imported" in line]
        self.assertEqual(len(warnings), 2, done.stderr)
        self.assertTrue(any("trigger t" in line for line in warnings) and any("view odd" in line for line in warnings), done.stderr)
        columns = self.psql("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'authors'::regclass AND attnum > 0")
        self.assertEqual(columns, "id bigint, name text, born date, score double precision, active boolean, seen timestamp without time zone, note double precision, "
            "meta json, key uuid, photo bytea, price numeric")
        self.assertEqual(self.psql("SELECT * FROM authors WHERE id = 1"),
            '1|Ada|1815-12-10|1|t|2020-01-01 10:00:00|5|{"a": [1]}|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|\\x00ff|9.99')
        self.assertEqual(self.psql("SELECT name = E'Tab\\tby\\\\N\\n', active, seen FROM authors WHERE id = 7"), "t|f|2020-01-01 10:00:00.25")
        self.assertEqual(self.psql("SELECT x, mixed, when_ FROM pairs ORDER BY x"), "1|3|2020-01-01T00:00:00\n7|text|yesterday")
        self.assertEqual(self.psql("INSERT INTO authors (name) VALUES ('New') RETURNING id, score, active, seen IS NOT NULL").split("\n")[0], "8|1.5|t|t")
        self.assertEqual(self.psql("INSERT INTO \"Odd \"\"books\" (isbn) VALUES ('3') RETURNING \"Select\"").split("\n")[0], "it's")
        self.assertEqual(self.psql("TABLE born_late"), "")
        definitions = self.psql("SELECT string_agg(pg_get_constraintdef(oid), '; ' ORDER BY contype, conname) FROM pg_constraint")
        for part in ["CHECK ((price >= ", "CHECK ((length(name) < 50))", "FOREIGN KEY (author) REFERENCES authors(id) ON DELETE CASCADE", "PRIMARY KEY (y, x)", "UNIQUE (a, b)",
                     "UNIQUE (name)"]:
            self.assertIn(part, definitions)
        indexes = self.psql("SELECT string_agg(pg_get_indexdef(indexrelid), '; ') FROM pg_index WHERE indrelid >= 16384")
        for part in ["by_author", "author DESC, isbn", "WHERE active", "lower(name)"]:
            self.assertIn(part, indexes)

    def test_one_table_of_a_sqlite_file(self):
        path = self.sqlite()
        done = self.run_import("--from", path, "--table", "empty_one")
        self.assertEqual((done.returncode, self.tables()), (0, "1"), done.stderr)
        done = self.run_import("--from", path, "--table", "missing")
        self.assertEqual((done.returncode, self.tables()), (1, "1"))
        self.assertIn('no table "missing"', done.stderr)

    def test_a_sqlite_file_with_a_journal(self):
        path = self.directory / "wal.db"
        writer = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE t (n INT)")
        writer.execute("INSERT INTO t VALUES (1), (2)")
        self.assertEqual(self.run_import("--from", path).returncode, 0)
        self.assertEqual(self.psql("SELECT sum(n) FROM t"), "3")

    def test_what_fails_leaves_nothing(self):
        good = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1);"
        for script, word in [("CREATE TABLE b (c); INSERT INTO b VALUES (x'00'), ('text');", "b.c holds blobs and other values"),
                             ("CREATE TABLE b (c TEXT); INSERT INTO b VALUES (CAST(x'ff' AS TEXT));", "not valid UTF-8"),
                             ("CREATE TABLE b (c TEXT); INSERT INTO b VALUES ('a' || char(0));", "zero byte")]:
            (self.directory / "source.db").unlink(missing_ok=True)
            done = self.run_import("--from", self.sqlite(good + script))
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(word, done.stderr)
            self.assertEqual(self.tables(), "0")
        self.psql("CREATE TABLE a (kept int)")
        (self.directory / "source.db").unlink()
        done = self.run_import("--from", self.sqlite("CREATE TABLE \"0\" (n INT);" + good))
        self.assertEqual((done.returncode, self.tables()), (1, "1"))
        self.assertIn('relation "a" already exists', done.stderr)

    def test_what_is_nothing_to_import_is_told_in_a_line(self):
        (self.directory / "text").write_text("hello")
        (self.directory / "dump").write_bytes(b"HELIODMP" + bytes(100))
        for source, code, word in [("missing.db", 1, "No such file or directory"), ("text", 1, "no SQLite file"), ("dump", 1, "restore --input"),
                                   (".", 1, "directory"), ("postgresql://127.0.0.1:1/x", 1, "could not connect"), ("postgresql://h:x/d", 2, "no port number")]:
            source = source if "://" in source else self.directory / source
            done = self.run_import("--from", source)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (code, 1), done.stderr)
            self.assertIn(word, done.stderr)
        with open(self.sqlite(), "r+b") as file:
            file.seek(5000)
            file.write(b"\xff" * 9000)
        done = self.run_import("--from", self.directory / "source.db")
        self.assertEqual((done.returncode, self.tables()), (1, "0"), done.stderr)
        self.assertIn("malformed", done.stderr)

    def test_a_running_postgresql(self):
        with local_postgres(buffers="64MB") as found:
            if not found:
                self.skipTest("PostgreSQL 15's server is not installed")
            source = dict(PGPORT=str(found[0]), PGDATABASE="postgres")
            done = subprocess.run([find_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", HERE.with_name("every_object.sql")], text=True,
                env=dict(self.environment, **source), capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.psql("CREATE TABLE many AS SELECT n, repeat('x', 100) AS t FROM generate_series(1, 100000) n", **source)
            url = f"postgresql://postgres@127.0.0.1:{found[0]}/postgres"
            done = self.run_import("--from", url, "--verbose")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("rows imported", done.stderr)
            for query in ["SELECT count(*), sum(n) FROM many", "SELECT * FROM app.every_type ORDER BY a", "SELECT * FROM app.upon ORDER BY id", "SELECT * FROM app.kept ORDER BY region",
                          "SELECT last_value, is_called FROM app.counted", "SELECT * FROM app.children ORDER BY id"]:
                self.assertEqual(self.psql(query), self.psql(query, **source), query)
            # Again: the names are taken, and nothing changes.
            done = self.run_import("--from", url)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn("already exists", done.stderr)
            self.psql("CREATE DATABASE part")
            done = self.run_import("--from", url, "--table", "app.every_type", "--dbname", "part")
            self.assertEqual(done.returncode, 1)
            done = self.run_import("--from", url, "--table", "many", "--dbname", "part")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.psql("SELECT count(*) FROM many", PGDATABASE="part"), "100000")
            self.psql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", **source)
            self.psql("CREATE DATABASE other")
            done = self.run_import("--from", url, "--dbname", "other")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertEqual(self.psql("SELECT count(*) FROM pg_class WHERE oid >= 16384", PGDATABASE="other"), "0")


if __name__ == "__main__":
    unittest.main()
