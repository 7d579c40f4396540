"""The shell, through pipes and a pseudo-terminal; needs HELIOSDB_NANO, the program under test."""
import os
import pathlib
import pty
import select
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ.get("HELIOSDB_NANO")


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
class ReplTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def repl(self, script, *arguments, code=0):
        done = subprocess.run([BINARY, "repl", "--memory", *arguments], input=script, text=True, capture_output=True, timeout=60,
                              cwd=self.directory, env=dict(os.environ, HOME=str(self.directory)))
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_pipe_gets_plain_tables(self):
        done = self.repl("CREATE TABLE users (id INT, name TEXT);\nINSERT INTO users\nVALUES (1, 'Alice'), (20, NULL);\nSELECT * FROM users")
        self.assertEqual(done.stdout, "CREATE TABLE\nINSERT 0 2\n id | name  \n----+-------\n  1 | Alice\n 20 | \n(2 rows)\n\n")
        self.assertEqual(done.stderr, "")

    def test_notifications_are_printed(self):
        done = self.repl("LISTEN c;\nNOTIFY c, 'x';\nNOTIFY c;\n")
        printed = done.stdout.replace("\n", " ")
        self.assertRegex(printed, r'NOTIFY Asynchronous notification "c" with payload "x" received from server process with PID \d+\. '
                                  r'NOTIFY Asynchronous notification "c" received from server process with PID \d+\. $')

    def test_errors_have_a_caret_and_stop_when_asked(self):
        script = "SELECT 1,\n  nothing;\nSELECT 'after';\n"
        done = self.repl(script)
        self.assertIn('ERROR:  column "nothing" does not exist\nLINE 2:   nothing;\n          ^\n', done.stderr)
        self.assertIn("after", done.stdout)
        done = self.repl("\\set ON_ERROR_STOP 1\n" + script, code=3)
        self.assertNotIn("after", done.stdout)
        self.repl("", "--execute", "SELECT nothing", code=1)

    def test_a_dump_at_the_end_is_sourced(self):
        self.repl("CREATE TABLE users (id INT, name TEXT);\nINSERT INTO users VALUES (1, 'A;\tb');\n", "--dump-on-shutdown", "--dump-file", "my.sql")
        done = self.repl("\\pset format unaligned\n\\t\nSELECT * FROM users;\n\\dump again.sql\n", "--execute", "SOURCE my.sql")
        self.assertIn("1|A;\tb\n", done.stdout)
        self.assertEqual((self.directory / "my.sql").read_bytes(), (self.directory / "again.sql").read_bytes())
        self.repl("\\dump s_$(date +\\%s).sql\n\\dump b.heliodump\n")
        self.assertEqual(len(list(self.directory.glob("s_*.sql"))), 1)
        self.repl("\\i b.heliodump\n")

    def test_commands(self):
        script = """CREATE TABLE t (n int PRIMARY KEY, s text CHECK (s <> ''));
COPY t FROM stdin;
1\tone
2\ttwo
\\.
\\copy t to 'out.csv' csv
\\copy (SELECT n + 10, s FROM t) TO more.csv WITH (FORMAT csv)
\\copy t FROM more.csv csv
\\set low 11
SELECT count(*) FROM t WHERE n >= :low \\gx
\\x \\t
SELECT 'SELECT ' || 6 * 7 \\gexec
\\d t
\\dt
\\echo :low done
\\nonsense
\\q
SELECT 'never';
"""
        done = self.repl(script)
        self.assertEqual((self.directory / "out.csv").read_text(), "1,one\n2,two\n")
        for part in ["COPY 2\n", "-[ RECORD 1 ]\ncount | 2\n", "42", "11 done"]:
            self.assertIn(part, done.stdout)
        self.assertNotIn("never", done.stdout)
        self.assertEqual(done.stderr, "ERROR:  invalid command \\nonsense\nHINT:  Try \\? for help.\n")
        done = self.repl("CREATE TABLE t (n int PRIMARY KEY, s text CHECK (s <> ''));\n\\d t\n")
        self.assertIn('                 Table "public.t"\n', done.stdout)
        self.assertIn('Indexes:\n    "t_pkey" PRIMARY KEY, btree (n)\nCheck constraints:\n    "t_s_check" CHECK (s <> \'\'::text)\n', done.stdout)

    def test_a_terminal_that_goes_away_ends_the_shell(self):
        """With changes that it would warn of, and the dump that was asked for."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm", HOME=str(self.directory))
            os.chdir(self.directory)
            os.execv(BINARY, [BINARY, "repl", "--memory", "--dump-on-shutdown", "--dump-file", "last.sql", "--execute", "CREATE TABLE kept (n int)"])
        seen, end = b"", time.monotonic() + 20
        while b"\x1b[6n" not in seen:
            self.assertLess(time.monotonic(), end, seen)
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 4096)
        os.close(terminal)
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() > end:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
                self.fail("the shell outlives its terminal")
            time.sleep(0.05)
        self.assertIn("CREATE TABLE public.kept", (self.directory / "last.sql").read_text())

    def test_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm", HOME=str(self.directory), PAGER="cat")
            os.execv(BINARY, [BINARY, "repl", "--memory"])
        seen = b""

        def until(text, seconds=20):
            nonlocal seen
            end = time.monotonic() + seconds
            while text not in seen:
                self.assertLess(time.monotonic(), end, seen)
                if select.select([terminal], [], [], 0.1)[0]:
                    piece = os.read(terminal, 4096)
                    seen += piece
                    # The editor asks where the cursor is.
                    if b"\x1b[6n" in piece:
                        os.write(terminal, b"\x1b[1;1R")
            seen = seen[seen.index(text) + len(text):]

        def pause(seconds):
            """Lets the editor ask and be answered."""
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if select.select([terminal], [], [], 0.1)[0] and b"\x1b[6n" in os.read(terminal, 4096):
                    os.write(terminal, b"\x1b[1;1R")

        until(b"heliosdb")
        os.write(terminal, b"SELECT 6 * 7 AS answer, NULL AS nothing;\r")
        until(b"42 | \x1b[2mNULL")
        pause(2)
        os.write(terminal, b"SELECT pg_sleep(60);\r")
        pause(3)
        os.write(terminal, b"\x03")
        until(b"canceling statement due to user request")
        pause(2)
        os.write(terminal, b"\\q\r")
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        os.close(terminal)


if __name__ == "__main__":
    unittest.main()
