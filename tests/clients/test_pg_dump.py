"""pg_dump and pg_restore between PostgreSQL 15 and ours, in both directions, and our SQL dump into PostgreSQL.

What comes out of a second dump must be the text that went in: on PostgreSQL's side byte for byte, for it prints views in its own way whoever
dumped them. Needs HELIOSDB_NANO, the program under test, and PostgreSQL 15's programs."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "tools"))
from local_postgres import PROGRAMS, local_postgres
from local_server import LocalServer, find_program

BINARY = os.environ.get("HELIOSDB_NANO")


class Server:
    """Where a database is."""

    def __init__(self, port):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self.environment = dict(kept, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres")

    def run(self, *command, **options):
        done = subprocess.run([str(word) for word in command], env=self.environment, text=True, capture_output=True, timeout=120, **options)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.stderr[-2000:]}")
        return done.stdout

    def psql(self, database, *arguments, **options):
        return self.run(find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments, **options)

    def database(self, name):
        self.psql("postgres", "-c", f"DROP DATABASE IF EXISTS {name}", "-c", f"CREATE DATABASE {name}")
        return name

    def role(self):
        if not self.psql("postgres", "-c", "SELECT 1 FROM pg_roles WHERE rolname = 'reader'"):
            self.psql("postgres", "-c", "CREATE ROLE reader")

    def dumped(self, database):
        """pg_dump's text without what differs by nature: the server's version and psql's random keys."""
        text = self.run(PROGRAMS / "pg_dump", database)
        return re.sub(r"(?m)^(\\(un)?restrict .*|-- Dumped .*)\n", "", text)

    def relations(self, database):
        return self.psql(database, "-c", """SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace::regnamespace::text !~ '^pg_|information_schema'
            ORDER BY oid::regclass::text COLLATE "C" """).split("\n")[:-1]

    def rows(self, database):
        """What every table and view holds, in order."""
        self.psql(database, "-c", "REFRESH MATERIALIZED VIEW app.kept")
        return {name: self.psql(database, "-c", "SET timezone = 'UTC'", "-c", f"SELECT t::text FROM {name} t ORDER BY t::text COLLATE \"C\"")
                for name in self.relations(database)}


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
@unittest.skipUnless((PROGRAMS / "pg_dump").exists() and (PROGRAMS / "postgres").exists(), "PostgreSQL 15's server and pg_dump are not installed")
class PgDumpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with contextlib.ExitStack() as stack:
            cls.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            cls.postgres = Server(stack.enter_context(local_postgres(buffers="64MB"))[0])
            cls.ours = Server(stack.enter_context(LocalServer(BINARY)).port)
            cls.postgres.database("source")
            cls.postgres.psql("source", "-f", HERE.with_name("every_object.sql"))
            cls.ours.role()
            cls.source = cls.postgres.dumped("source")
            cls.rows = cls.postgres.rows("source")
            cls.stack = stack.pop_all()

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def load(self, name):
        """PostgreSQL's plain dump in ours."""
        self.ours.database(name)
        self.ours.psql(name, "-f", "-", input=self.source)
        return name

    def test_a_plain_dump_of_postgresql_loads(self):
        self.load("plain")
        self.assertGreater(len(self.rows), 10)
        self.assertEqual(self.ours.rows("plain"), self.rows)

    def test_a_custom_dump_of_postgresql_loads(self):
        archive = self.directory / "custom"
        self.postgres.run(PROGRAMS / "pg_dump", "-Fc", "-f", archive, "source")
        self.ours.database("custom")
        self.ours.run(PROGRAMS / "pg_restore", "--exit-on-error", "-d", "custom", archive)
        self.assertEqual(self.ours.rows("custom"), self.rows)
        self.load("plain2")
        self.assertEqual(self.ours.dumped("custom"), self.ours.dumped("plain2"))

    def test_pg_dump_of_ours_gives_postgresql_the_same_database(self):
        self.load("there")
        for name, arguments in [("back", []), ("inserts", ["--inserts"]), ("columns", ["--column-inserts", "--rows-per-insert=7"])]:
            text = self.ours.run(PROGRAMS / "pg_dump", *arguments, "there")
            self.postgres.database(name)
            self.postgres.psql(name, "-f", "-", input=text)
            self.assertEqual(self.postgres.dumped(name).split("\n"), self.source.split("\n"))
        archive = self.directory / "ours"
        self.ours.run(PROGRAMS / "pg_dump", "-Fc", "-f", archive, "there")
        self.postgres.database("by_restore")
        self.postgres.run(PROGRAMS / "pg_restore", "--exit-on-error", "-d", "by_restore", archive)
        self.assertEqual(self.postgres.dumped("by_restore").split("\n"), self.source.split("\n"))

    def test_parts_of_a_dump_of_ours(self):
        self.load("parts")
        for arguments in [["--schema-only"], ["--data-only"], ["-t", "app.parents"], ["-n", "app", "--clean", "--if-exists"], ["--section=post-data"]]:
            text = self.ours.run(PROGRAMS / "pg_dump", *arguments, "parts")
            expected = self.postgres.run(PROGRAMS / "pg_dump", *arguments, "source")
            # Views are printed otherwise, which is all that may differ.
            statements = lambda text: [line for line in text.split("\n") if re.match(r"CREATE (TABLE|TYPE|INDEX|SEQUENCE)|ALTER|COMMENT|GRANT|COPY|DROP", line)]
            self.assertEqual(statements(text), statements(expected), arguments)

    def test_our_own_dump_gives_postgresql_the_same_database(self):
        self.load("own")
        self.ours.run(BINARY, "dump", "--dbname", "own", "--output", self.directory / "own.sql")
        self.postgres.database("own")
        self.postgres.psql("own", "-f", self.directory / "own.sql")
        self.assertEqual(self.postgres.rows("own"), self.rows)
        # It makes objects in the order in which they were made.
        self.assertEqual(sorted(self.postgres.dumped("own").split("\n")), sorted(self.source.split("\n")))

    def test_our_dump_of_the_other_server(self):
        self.load("ours")
        self.ours.run(BINARY, "dump", "--dbname", "ours", "--output", self.directory / "d.heliodump")
        self.ours.database("again")
        self.ours.run(BINARY, "restore", "--dbname", "again", "--input", self.directory / "d.heliodump")
        self.assertEqual(self.ours.dumped("again").split("\n"), self.ours.dumped("ours").split("\n"))
        self.assertEqual(self.ours.rows("again"), self.rows)


if __name__ == "__main__":
    unittest.main()
