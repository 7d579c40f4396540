#!/usr/bin/env python3
"""What scripts make is dumped, restored and dumped again, by us and by PostgreSQL 15; every text and every row must come back.

    round_trips.py --server target/ci/heliosdb-nano             the project's scripts and those of ../shared/conformance, some minutes
    round_trips.py --server ... --only regress/domain slt       cases whose name begins so
    round_trips.py --server ... --keep DIRECTORY                leaves the dumps of what failed there

A case is a script; whatever of it succeeds is there to be dumped. Of each:
  binary      restored from a .heliodump: the SQL dump is the same text, another .heliodump has the same definitions, and a restore of that one the
              same blocks of rows; the first may have gaps between rows, which the second closes
  text        loaded from the SQL dump by psql, which stops at an error: the SQL dump is the same text
  postgres    the SQL dump loaded into PostgreSQL by psql, which stops at an error: every relation has the same rows
  pg_dump     that PostgreSQL's pg_dump loaded into ours: every relation has the same rows, and our dump the same statements
  pg_restore  its custom format through pg_restore, likewise
The last three need PostgreSQL 15's programs and are left out with --ours. A dump loaded into PostgreSQL is a dump of what PostgreSQL has, so that
what tests/round-trip-differences.toml lists, with the reason, may fail there."""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

sys.dont_write_bytecode = True
from local_postgres import PROGRAMS, local_postgres
from local_server import LocalServer, find_program

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITES = pathlib.Path(os.environ.get("HELIOSDB_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
DIFFERENCES = ROOT / "tests" / "round-trip-differences.toml"
REGRESS = SUITES / "pg15" / "regress"

# docs/heliodump-format.md
FILE_HEADER, BLOCK_HEADER, SCRIPT, ROWS = 28, 20, 2, 3

# Views of a server's own catalogs show another server's.
RELATIONS = r"""SELECT c.oid::regclass, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'v', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT (c.relkind = 'v' AND pg_get_viewdef(c.oid) ~ '(FROM|JOIN|,)\s+\(*(pg_|information_schema[.])')
    ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C" """


class Different(Exception):
    """A step that did not give back what went in; its text is for people."""


class Server:
    """A database of a running server, by libpq's variables."""

    def __init__(self, port, database):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self.environment = dict(kept, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres", PGDATABASE=database, PGTZ="UTC")

    def run(self, *command, **options):
        done = subprocess.run([str(word) for word in command], env=self.environment, capture_output=True, timeout=120, **options)
        if done.returncode != 0:
            raise Different(f"{pathlib.Path(str(command[0])).name}: {done.stderr.decode(errors='replace')[-1500:].strip()}")
        return done.stdout.decode(errors="replace")

    def psql(self, *arguments):
        return self.run(find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments)

    def load(self, file):
        self.psql("-o", os.devnull, "-f", file)

    def contents(self):
        """The rows of every table and view, in an order that is theirs, and where every sequence stands; an error where there is one."""
        # A view that takes from a sequence is refused, on every server alike.
        reader, found = dict(self.environment, PGOPTIONS="-c default_transaction_read_only=on"), {}
        for line in self.psql("-c", RELATIONS).splitlines():
            name, kind = line.rsplit("|", 1)
            row = "last_value, is_called" if kind == "S" else "t.*"
            query = f"SELECT line FROM (SELECT ROW({row})::text AS line FROM {name} t) AS lines ORDER BY line COLLATE \"C\""
            done = subprocess.run([find_program("psql"), "-X", "-q", "-A", "-t", "-c", query], env=reader, capture_output=True, timeout=120)
            # A view may well raise: a division by zero, a right that its owner has not.
            found[name] = done.stdout.decode(errors="replace") or re.sub(r"\n.*", "", done.stderr.decode(errors="replace"))
        return found


class Ours(Server):
    """A server of ours, fresh."""

    def __init__(self, binary, stack):
        self.binary = binary
        self.server = stack.enter_context(LocalServer(binary, max_connections=20))
        super().__init__(self.server.port, "heliosdb")

    def dump(self, file, *arguments):
        self.run(self.binary, "dump", "--output", file, *arguments)
        return file

    def restore(self, file):
        self.run(self.binary, "restore", "--input", file)


def statements_of_slt(script):
    """The statements of an sqllogictest script that leave something behind, for psql."""
    made = []
    for kind, sql in re.findall(r"(?ms)^(statement|query)[^\n]*\n(.*?)(?=\n----|\n[ \t]*\n|\Z)", script.read_text()):
        if not re.match(r"(?i)\s*(drop|rollback)", sql) and (kind == "statement" or re.search(r"(?i)insert|update|delete|setval|nextval", sql)):
            made.append(sql.strip().rstrip(";") + ";\n")
    return "".join(made) + "COMMIT;\n"


def statements_of_spec(script):
    """The set-up of an isolation spec."""
    return "".join(re.findall(r"(?ms)^setup\s*\{(.*?)^\}", script.read_text()))


def statements_of_regress(script):
    text = "".join(line for line in script.read_text(errors="replace").splitlines(True) if not line.upper().startswith("DROP "))
    first = "" if script.stem == "test_setup" else f"\\i {REGRESS / 'sql' / 'test_setup.sql'}\n"
    return first + text


def cases():
    """Names and scripts; a suite that is not there has none."""
    sources = [("slt", ROOT / "tests" / "slt" / "pg", "*.slt", statements_of_slt), ("clients", ROOT / "tests" / "clients", "*.sql", pathlib.Path.read_text),
               ("regress", REGRESS / "sql", "*.sql", statements_of_regress), ("isolation", SUITES / "pg15" / "isolation" / "specs", "*.spec", statements_of_spec),
               ("sqllogictest", SUITES / "sqllogictest", "**/*.test", statements_of_slt)]
    for suite, directory, pattern, read in sources:
        for script in sorted(directory.glob(pattern)):
            yield f"{suite}/{script.relative_to(directory).with_suffix('')}", (lambda read=read, script=script: read(script))


def first_difference(wanted, given, name):
    wanted, given = wanted.splitlines(), given.splitlines()
    if wanted == given:
        return
    for number, (before, after) in enumerate(zip(wanted + [""], given + [""]), 1):
        if before != after:
            raise Different(f"{name}, line {number}:\n      - {before[:300]}\n      + {after[:300]}")
    raise Different(f"{name} has {len(given)} lines instead of {len(wanted)}")


def same_contents(wanted, given):
    for name, rows in wanted.items():
        if name not in given:
            raise Different(f"{name} is missing")
        if rows is not None:
            first_difference(rows, given[name], f"rows of {name}")
    if more := given.keys() - wanted.keys():
        raise Different(f"{sorted(more)} are new")


def same_statements(wanted, given):
    """Of two dumps: statements in whatever order. What a view shows was compared; PostgreSQL prints its query in its own way."""
    def parts(file):
        return sorted(part for part in file.read_text().split("\n\n") if not re.match(r"CREATE (MATERIALIZED )?VIEW", part))

    before, after = parts(wanted), parts(given)
    if before != after:
        gone, new = [part for part in before if part not in after], [part for part in after if part not in before]
        raise Different("statements differ:" + "".join(f"\n      - {part[:300]}" for part in gone[:3]) + "".join(f"\n      + {part[:300]}" for part in new[:3]))


def blocks(file, kind):
    """The payloads of a .heliodump's blocks of one kind."""
    data, at, found = file.read_bytes(), FILE_HEADER, []
    while at < len(data):
        length = int.from_bytes(data[at + 8:at + 12], "little")
        if data[at + 4] == kind:
            found.append(data[at + BLOCK_HEADER:at + BLOCK_HEADER + length])
        at += BLOCK_HEADER + length + 4
    return found


class Case:
    def __init__(self, name, script, binary, postgres, directory):
        self.name, self.script, self.binary, self.postgres, self.directory = name, script, binary, postgres, directory

    def failures(self):
        """The steps that failed, with what was wrong."""
        with contextlib.ExitStack() as stack:
            source = Ours(self.binary, stack)
            command = [find_program("psql"), "-X", "-q"]
            subprocess.run(command, env=dict(source.environment, PG_ABS_SRCDIR=str(REGRESS)), input=self.script().encode(), capture_output=True, timeout=180)
            # A restore fills materialized views from their queries, as pg_dump's does.
            refresh = "SELECT format('REFRESH MATERIALIZED VIEW %s', oid::regclass) FROM pg_class WHERE relkind = 'm' AND relispopulated \\gexec"
            subprocess.run(command, env=source.environment, input=refresh.encode(), capture_output=True, timeout=180)
            try:
                self.text = source.dump(self.directory / "before.sql")
                self.file = source.dump(self.directory / "before.heliodump", "--compression", "none")
            except Different as error:
                return {"dump": str(error)}
            self.contents = source.contents()
            # What the clock shows is not to be compared.
            again = source.contents()
            self.contents = {name: rows if again[name] == rows else None for name, rows in self.contents.items()}
        failed = {}
        steps = [("binary", self.binary_round_trip), ("text", self.text_round_trip)]
        if self.postgres:
            steps += [("postgres", self.into_postgres), ("pg_dump", self.pg_dump), ("pg_restore", self.pg_restore)]
        for step, run in steps:
            if step == "pg_dump" and "postgres" in failed:
                break
            with contextlib.ExitStack() as stack:
                try:
                    run(stack)
                except Different as error:
                    failed[step] = str(error)
                except subprocess.TimeoutExpired as error:
                    failed[step] = str(error)
        return failed

    def binary_round_trip(self, stack):
        target = Ours(self.binary, stack)
        target.restore(self.file)
        first_difference(self.text.read_text(), target.dump(self.directory / "again.sql").read_text(), "the dump")
        again = target.dump(self.directory / "again.heliodump", "--compression", "none")
        if blocks(self.file, SCRIPT) != blocks(again, SCRIPT):
            raise Different("the definitions in the binary dumps differ")
        third = Ours(self.binary, stack)
        third.restore(again)
        if blocks(again, ROWS) != blocks(third.dump(self.directory / "third.heliodump", "--compression", "none"), ROWS):
            raise Different("the rows in the binary dumps differ")

    def text_round_trip(self, stack):
        target = Ours(self.binary, stack)
        target.load(self.text)
        first_difference(self.text.read_text(), target.dump(self.directory / "again.sql").read_text(), "the dump")

    def into_postgres(self, stack):
        administrator = Server(self.postgres, "postgres")
        administrator.psql("-c", "DROP DATABASE IF EXISTS round_trip", "-c", "CREATE DATABASE round_trip")
        roles = administrator.psql("-c", "SELECT quote_ident(rolname) FROM pg_roles WHERE oid >= 16384").splitlines()
        if roles:
            administrator.psql("-c", f"DROP ROLE {', '.join(roles)}")
        target = Server(self.postgres, "round_trip")
        target.load(self.text)
        same_contents(self.contents, target.contents())

    def pg_dump(self, stack):
        source, target = Server(self.postgres, "round_trip"), Ours(self.binary, stack)
        plain = self.directory / "pg_dump.sql"
        source.run(PROGRAMS / "pg_dump", "-f", plain)
        self.from_postgres(target, lambda: target.load(plain))

    def pg_restore(self, stack):
        source, target = Server(self.postgres, "round_trip"), Ours(self.binary, stack)
        custom = self.directory / "pg_dump.custom"
        source.run(PROGRAMS / "pg_dump", "-Fc", "-f", custom)
        self.from_postgres(target, lambda: target.run(PROGRAMS / "pg_restore", "-d", "heliosdb", "--exit-on-error", custom))

    def from_postgres(self, target, load):
        # pg_dump leaves roles to pg_dumpall.
        roles = Server(self.postgres, "round_trip").run(PROGRAMS / "pg_dumpall", "--roles-only")
        target.psql("-c", re.sub(r"(?m)^(\\.*|(CREATE|ALTER) ROLE postgres\b.*)$", "", roles))
        load()
        same_contents(self.contents, target.contents())
        same_statements(self.text, target.dump(self.directory / "again.sql"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program under test")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose name begins so")
    parser.add_argument("--ours", action="store_true", help="without PostgreSQL")
    parser.add_argument("--keep", type=pathlib.Path, help="a directory for the dumps of failed cases")
    arguments = parser.parse_args()
    listed = {(entry["case"], step): entry["reason"] for entry in tomllib.loads(DIFFERENCES.read_text()).get("difference", []) for step in entry["steps"]}
    wrong = passed = 0
    with contextlib.ExitStack() as stack:
        postgres = None if arguments.ours else (stack.enter_context(local_postgres(buffers="64MB")) or [None])[0]
        for name, script in cases():
            if not name.startswith(tuple(arguments.only)):
                continue
            with tempfile.TemporaryDirectory() as directory:
                failed = Case(name, script, arguments.server, postgres, pathlib.Path(directory)).failures()
                unlisted = {step: text for step, text in failed.items() if (name, step) not in listed}
                in_vain = [step for case, step in listed if case == name and step not in failed and (postgres or step in ("binary", "text"))]
                for step, text in unlisted.items():
                    print(f"{name}: {step}: {text}", flush=True)
                for step in in_vain:
                    print(f"{name}: {step}: {DIFFERENCES.name} lists it, and it holds", flush=True)
                wrong += bool(unlisted or in_vain)
                passed += not (unlisted or in_vain)
                if arguments.keep and failed:
                    (arguments.keep / name).mkdir(parents=True, exist_ok=True)
                    for file in pathlib.Path(directory).iterdir():
                        file.rename(arguments.keep / name / file.name)
    print(f"{passed} of {passed + wrong} round trips come back", flush=True)
    sys.exit(bool(wrong) or not passed)


if __name__ == "__main__":
    main()
