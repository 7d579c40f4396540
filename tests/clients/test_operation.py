"""What docs/operation.md and the guide print for systemd and cron does what it says; commands end with the right exit code and one clear line.

Needs HELIOSDB_NANO, the program under test."""
import configparser
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import zlib

import psycopg

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[2]

BINARY = os.environ.get("HELIOSDB_NANO")
PRINTED = (ROOT / "docs" / "operation.md").read_text()

# The lines of the in-memory guide, as printed there.
GUIDE_CRON = r"0 */6 * * * heliosdb-nano dump --output /backups/db-$(date +\%Y\%m\%d-\%H\%M).heliodump"
GUIDE_BEFORE_SHUTDOWN = r"heliosdb-nano dump --output /backups/shutdown-$(date +\%Y\%m\%d-\%H\%M\%S).heliodump"
GUIDE_STOP = ["/usr/bin/heliosdb-nano dump --output /backups/shutdown.heliodump", "/bin/kill -SIGTERM $MAINPID"]


def blocks(language):
    """The code blocks of the page in this language."""
    fenced = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", PRINTED)
    return [text for named, text in fenced if named == language]


class Unit:
    """A systemd unit as it is printed, so far as a test can be systemd."""

    def __init__(self, text):
        reader = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
        reader.optionxform = str
        reader.read_string(text)
        self.service = reader["Service"]
        self.stops = re.findall(r"(?m)^ExecStop=(.*)$", text)


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
class OperationTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        (self.directory / "bin").mkdir()
        (self.directory / "bin" / "heliosdb-nano").symlink_to(pathlib.Path(BINARY).resolve())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self.environment = dict(kept, PATH=f"{self.directory / 'bin'}:{kept['PATH']}", PGPORT=str(self.port), HELIOSDB_SERVER_PORT=str(self.port))

    def here(self, command):
        """The printed paths, in the test's own directory."""
        for printed in ["/var/lib/heliosdb", "/backups"]:
            command = command.replace(printed, str(self.directory))
        return command.replace("/usr/bin/heliosdb-nano", str(self.directory / "bin" / "heliosdb-nano"))

    def start(self, command):
        server = subprocess.Popen(self.here(command).split(), env=self.environment, cwd=self.directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (server.poll() is None and server.kill(), server.communicate()))
        self.assertIn("ready", server.stdout.readline())
        return server

    def sql(self, statement):
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="heliosdb", autocommit=True) as db:
            cursor = db.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def shell(self, command, **options):
        return subprocess.run(["/bin/sh", "-c", self.here(command)], env=dict(self.environment, **options), cwd=self.directory, text=True, capture_output=True, timeout=60)

    def verify(self, path):
        done = subprocess.run([BINARY, "restore", "--verify", "--input", str(path)], text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("whole", done.stdout)

    def test_the_unit_dumps_when_it_is_stopped_and_begins_with_the_dump(self):
        unit = Unit(blocks("ini")[0])
        server = self.start(unit.service["ExecStart"])
        self.sql("CREATE TABLE kept AS SELECT 42 AS n")
        server.send_signal(getattr(signal, unit.service["KillSignal"]))
        self.assertEqual(server.wait(float(unit.service["TimeoutStopSec"])), 0)
        self.verify(self.directory / "backup.heliodump")
        restore = re.search(r"add `(--restore [^`]*)`", PRINTED)[1]
        server = self.start(f"{unit.service['ExecStart']} {restore}")
        self.assertEqual(self.sql("SELECT n FROM kept"), [(42,)])
        self.assertEqual(self.sql("SELECT pg_stat_get_dirty_rows()"), [(0,)])

    def test_the_guide_s_stop_commands(self):
        for stops in [Unit("[Service]\n" + blocks("ini")[1]).stops, GUIDE_STOP]:
            server = self.start("heliosdb-nano start --memory")
            self.sql("CREATE TABLE kept AS SELECT 43 AS n")
            for command in stops:
                done = self.shell(command.replace("kill -SIGTERM", "kill -s TERM"), MAINPID=str(server.pid))
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(server.wait(30), 0)
            self.assertEqual(server.stderr.read(), "", "nothing was dirty")
            self.verify(self.directory / "shutdown.heliodump")

    def test_systemd_accepts_the_unit(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        path = self.directory / "heliosdb.service"
        path.write_text(blocks("ini")[0].replace("/usr/bin/heliosdb-nano", BINARY).replace("User=heliosdb\n", ""))
        done = subprocess.run(["systemd-analyze", "verify", str(path)], text=True, capture_output=True, timeout=60)
        self.assertNotIn(str(path.name), done.stderr)

    def test_cron_s_lines(self):
        lines = [line for block in blocks("") for line in block.splitlines() if re.match(r"[\d*]", line)]
        self.assertEqual(len(lines), 2)
        self.start("heliosdb-nano start --memory")
        self.sql("CREATE TABLE kept AS SELECT 44 AS n")
        for line in [GUIDE_CRON, *lines]:
            fields = line.split(None, 5)
            self.assertEqual(len(fields), 6, "five fields and a command")
            for field in fields[:5]:
                self.assertRegex(field, r"^(\*|\d+)(/\d+)?$")
            # cron turns \% into % and gives the rest to sh.
            done = self.shell(fields[5].replace(r"\%", "%"))
            if "latest" in line:
                self.assertEqual(done.returncode, 1, "there is no latest yet")
                os.link(sorted(self.directory.glob("db-*.heliodump"))[-1], self.directory / "latest.heliodump")
                done = self.shell(fields[5])
            self.assertEqual(done.returncode, 0, done.stderr)
        for path in self.directory.glob("db-*.heliodump"):
            self.assertRegex(path.name, r"^db-\d{8}-\d{4}\.heliodump$")
            self.verify(path)
        self.assertEqual(self.sql("SELECT pg_stat_get_dirty_bytes() > 0 as has_unsaved_changes"), [(False,)])
        # By hand in a shell, the guide's backslashes are date's to keep or drop; the file is whole either way.
        done = self.shell(GUIDE_BEFORE_SHUTDOWN)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.verify(next(self.directory.glob("shutdown-*.heliodump")))

    def test_a_full_disk_leaves_the_file_before(self):
        disk = self.directory / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], text=True, capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)])
        self.start("heliosdb-nano start --memory")
        self.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) n")
        for name in ["d.heliodump", "d.sql"]:
            small = self.shell(f"heliosdb-nano dump --output {disk / name}")
            self.assertEqual(small.returncode, 0, small.stderr)
        before = {name: (disk / name).read_bytes() for name in ["d.heliodump", "d.sql"]}
        self.sql("CREATE TABLE big AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) n")
        for command in [f"dump --output {disk / 'd.heliodump'} --compression none", f"dump --output {disk / 'd.sql'}", f"dump --append --output {disk / 'd.heliodump'}"]:
            done = self.shell(f"heliosdb-nano {command}")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn("No space left on device", done.stderr)
            self.assertEqual({name: (disk / name).read_bytes() for name in before}, before)
            self.assertEqual(sorted(os.listdir(disk)), sorted(before), "nothing is left behind")
        self.assertNotEqual(self.sql("SELECT pg_stat_get_dirty_rows()"), [(0,)], "what failed is not saved")

    def test_verbose_tells_what_was_done(self):
        self.start("heliosdb-nano start --memory")
        self.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) n")
        quiet = self.shell("heliosdb-nano dump --output d.heliodump")
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "", ""))
        told = self.shell("heliosdb-nano dump --verbose --output d.heliodump")
        self.assertRegex(told.stderr, r"^d\.heliodump: 1 tables, 10 rows, \d+ bytes\n$")
        self.sql("DROP TABLE t")
        self.assertEqual(self.shell("heliosdb-nano restore --verbose --input d.heliodump").stderr, "d.heliodump: 1 tables, 10 rows restored\n")

    def test_bad_input_is_one_line_the_right_code_and_no_change(self):
        self.start("heliosdb-nano start --memory")
        self.sql("CREATE TABLE t AS SELECT 1 AS n")
        self.assertEqual(self.shell("heliosdb-nano dump --output good.heliodump && heliosdb-nano dump --output good.sql").returncode, 0)
        good = bytearray((self.directory / "good.heliodump").read_bytes())
        newer = bytearray(good)
        newer[8] = 9

        newer[24:28] = zlib.crc32(newer[:24]).to_bytes(4, "little")
        (self.directory / "newer.heliodump").write_bytes(newer)
        (self.directory / "cut.heliodump").write_bytes(good[:-5])
        (self.directory / "empty.heliodump").write_bytes(b"")
        (self.directory / "closed").mkdir()
        self.sql("CREATE ROLE locked LOGIN PASSWORD 'right'")
        cases = [
            (1, "dump --output missing/d.heliodump", "No such file or directory"),
            (1, "dump --output closed", "directory"),
            (1, "dump --output d.heliodump --table nowhere", 'no table "nowhere"'),
            (1, "dump --port 1 --output d.heliodump", "Is the server running?"),
            (1, "dump --dbname nowhere --output d.heliodump", 'database "nowhere" does not exist'),
            (1, "dump --append --output good.sql --format heliodump", "not a heliodump"),
            (2, "dump --append --output good.sql", "--append"),
            (2, "dump --compression brotli", "brotli"),
            (2, "dump --format tar", "tar"),
            (2, "dump --connection localhost", "URL"),
            (2, "dump --colour", "--colour"),
            (1, "restore --input missing.heliodump", "No such file or directory"),
            (1, "restore --input good.sql", "not a heliodump"),
            (1, "restore --input newer.heliodump", "format version 9"),
            (1, "restore --input cut.heliodump", "bytes long"),
            (1, "restore --input empty.heliodump", "heliodump"),
            (1, "restore --verify --input cut.heliodump", "bytes long"),
            (1, "restore --input good.heliodump", "not empty"),
            (1, "restore --input good.heliodump --port 1", "Is the server running?"),
            (1, "restore --input good.heliodump --table nowhere --clean", 'no table "nowhere"'),
            (2, "restore", "--input"),
            (1, "stop --pid-file missing.pid", "missing.pid"),
            (2, "import", "--from"),
            (2, "", "--help"),
        ]
        before = self.sql("SELECT relname::text FROM pg_class WHERE oid >= 16384 ORDER BY 1")
        for code, arguments, word in cases:
            with self.subTest(arguments=arguments):
                done = self.shell(f"heliosdb-nano {arguments}")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(word, done.stderr)
                if arguments:
                    self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                    self.assertTrue(done.stderr.startswith("heliosdb-nano: "), done.stderr)
                self.assertEqual(self.sql("SELECT relname::text FROM pg_class WHERE oid >= 16384 ORDER BY 1"), before)
                self.assertEqual((self.directory / "good.heliodump").read_bytes(), good)
        self.assertEqual([path.name for path in self.directory.glob(".*")], [])

    def test_a_wrong_password_and_no_permission(self):
        hashed = subprocess.run([BINARY, "hash-password", "--scram"], input="right\n", text=True, capture_output=True, timeout=60).stdout.strip()
        (self.directory / "config.toml").write_text(
            f'[auth]\nmethod = "scram-sha-256"\n[[auth.users]]\nusername = "alice"\npassword_hash = "{hashed}"\nroles = ["admin"]\n')
        self.start("heliosdb-nano start --memory --config config.toml")
        for password, word in [("wrong", "password authentication failed"), ("", "wants a password")]:
            done = self.shell("heliosdb-nano dump --user alice --output d.heliodump", PGPASSWORD=password, PGPASSFILE="/dev/null")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(word, done.stderr)
        self.assertEqual(self.shell("heliosdb-nano dump --user alice --output d.heliodump", PGPASSWORD="right").returncode, 0)
        self.verify(self.directory / "d.heliodump")
        if os.geteuid() == 0:
            # Root may write anywhere, so somebody else tries.
            closed = self.directory / "closed"
            closed.mkdir(mode=0o700)
            os.chmod(self.directory, 0o755)
            program = shutil.copy(BINARY, self.directory / "copy")
            done = subprocess.run([program, "dump", "--user", "alice", "--output", str(closed / "d.heliodump")], env=dict(self.environment, PGPASSWORD="right"), text=True,
                capture_output=True, timeout=60, user=65534, group=65534, extra_groups=[])
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn("Permission denied", done.stderr)


if __name__ == "__main__":
    unittest.main()
