"""The shell in a real terminal, tmux; needs HELIOSDB_NANO, the program under test."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from local_server import LocalServer

BINARY = os.environ.get("HELIOSDB_NANO")


@unittest.skipUnless(BINARY, "HELIOSDB_NANO names no program")
@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class TerminalTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.socket = str(self.directory / "tmux")
        self.addCleanup(self.tmux, "kill-server", check=False)
        # Shells come and go in it.
        self.tmux("-f", os.devnull, "start-server", ";", "set-option", "-s", "exit-empty", "off")
        self.start()

    def start(self, *arguments, **variables):
        settings = dict({"HOME": self.directory, "TERM": "xterm-256color", "TZ": "UTC", "PAGER": "cat"}, **variables)
        command = ["env", *(f"{name}={value}" for name, value in settings.items()), BINARY, "repl", "--memory", *arguments]
        self.tmux("new-session", "-d", "-s", f"shell{time.monotonic_ns()}", "-x", "100", "-y", "40", "-c", self.directory, *command)
        self.see(r"heliosdb> *$")

    def tmux(self, *arguments, check=True):
        command = ["tmux", "-S", self.socket, *map(str, arguments)]
        return subprocess.run(command, check=check, capture_output=True, text=True).stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text, enter=True):
        # A semicolon at the end would be tmux's own.
        self.tmux("send-keys", "-l", "--", re.sub(r";$", r"\\;", text))
        if enter:
            self.keys("Enter")

    def screen(self, colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def see(self, wanted, seconds=20, colours=False):
        """Waits for it on the screen."""
        end = time.monotonic() + seconds
        while not re.search(wanted, text := self.screen(colours).rstrip(), re.M):
            self.assertLess(time.monotonic(), end, f"{wanted!r} is not on the screen:\n{text}")
            time.sleep(0.05)
        return text

    def answered(self, text, wanted):
        """Types it and waits for the answer and the prompt behind it."""
        self.keys("C-l")
        self.type(text)
        return self.see(f"(?s){wanted}.*^\\w+[*!]?> *$")

    def test_tables_columns_and_functions_are_completed(self):
        self.answered("CREATE TABLE customers (surname text, joined date);", "CREATE TABLE")
        for typed, completed in [("SEL", "SELECT"), ("sel", "select"), ("SELECT * FROM custo", "FROM customers"),
                                 ("SELECT surna", "SELECT surname"), ("SELECT jsonb_pret", "SELECT jsonb_pretty")]:
            self.keys("C-l")
            self.type(typed, enter=False)
            self.keys("Tab")
            self.see(f"> .*{completed}")
            self.keys("C-c")
            self.see(r"heliosdb> *$")
        # Several are offered.
        self.type("SELECT regexp_", enter=False)
        self.keys("Tab")
        self.see("(?s)regexp_match.*regexp_replace")

    def test_lines_are_edited_coloured_and_remembered(self):
        self.type("SELECT 'one'")
        self.see(r"^ *->")
        self.type(" || 'two' AS both;")
        self.see("onetwo")
        self.type("SELECT 'green'", enter=False)
        self.see("\x1b\\[1;34mSELECT|\x1b\\[1m\x1b\\[34mSELECT", colours=True)
        self.see("\x1b\\[32m'green'", colours=True)
        self.keys("C-c")
        self.see(r"heliosdb> *$")
        self.type("\\q")
        self.start()
        self.keys("Up")
        self.see("q")
        self.keys("Up")
        self.see("AS both;")
        self.keys("C-c")

    def test_an_error_has_its_caret_under_the_spot(self):
        text = self.answered("SELECT 1 + nonsense;", r"LINE 1: SELECT 1 \+ nonsense;")
        line, caret = re.search(r"^(LINE 1: .*)\n( *\^)", text, re.M).groups()
        self.assertEqual(caret.index("^"), line.index("nonsense"))

    def test_null_is_told_from_text_and_settings_last(self):
        self.type("SELECT NULL AS a, 'NULL' AS b;")
        self.see("\x1b\\[2mNULL\x1b\\[0m", colours=True)
        self.answered("\\x", "Expanded display is on")
        self.answered("SELECT 1 AS a, 2 AS b;", r"-\[ RECORD 1 \]-*\na +\| 1\nb +\| 2")
        self.answered("\\x \\timing", "Timing is on")
        self.answered("SELECT 1;", r"Time: [\d.]+ ms")

    def test_long_results_are_paged(self):
        self.type("\\q")
        self.start(PAGER="cat >paged.txt; echo PAGED")
        self.type("SELECT n FROM generate_series(1, 500) AS n;")
        self.see("PAGED")
        self.assertIn("(500 rows)", (self.directory / "paged.txt").read_text())
        self.keys("C-l")
        self.answered("SELECT 1 AS short;", "1 row")
        self.assertNotIn("PAGED", self.screen())

    def test_control_c_ends_the_statement_and_keeps_the_data(self):
        self.answered("CREATE TABLE kept AS SELECT 1 AS n;", "SELECT 1|CREATE TABLE AS")
        self.type("SELECT pg_sleep(60);")
        time.sleep(1)
        self.keys("C-c")
        self.see("canceling statement due to user request")
        self.answered("SELECT count(*) AS kept FROM kept;", r"\n +1\n")
        # Of a statement not yet sent, only the text goes.
        self.type("SELECT 'unfinished", enter=False)
        self.see("unfinished$")
        self.keys("C-c")
        self.see(r"unfinished\nheliosdb> *$")
        self.answered("BEGIN;", "BEGIN")
        self.see(r"^heliosdb\*> *$")
        self.type("SELECT pg_sleep(60);")
        time.sleep(1)
        self.keys("C-c")
        self.see(r"^heliosdb!> *$")
        self.answered("ROLLBACK;", "ROLLBACK")

    def test_watch_repeats_until_control_c(self):
        self.answered("CREATE SEQUENCE turns;", "CREATE SEQUENCE")
        self.type("SELECT 'turn ' || nextval('turns') AS t \\watch 0.2")
        self.see("(?s)turn 1.*turn 2.*turn 3")
        self.keys("C-c")
        self.see(r"heliosdb> *$")
        before = self.screen()
        time.sleep(0.6)
        self.assertEqual(self.screen(), before)

    def test_an_editor_changes_the_statement(self):
        self.type("\\q")
        editor = self.directory / "editor"
        editor.write_text("#!/bin/sh\necho \"SELECT 'from the editor' AS edited;\" > \"$1\"\n")
        editor.chmod(0o755)
        self.start(EDITOR=editor)
        self.type("\\e")
        self.see("from the editor\n")

    def test_a_running_server_is_connected_to(self):
        with LocalServer(BINARY) as server:
            self.answered(f"\\c postgres postgres 127.0.0.1 {server.port}", "You are now connected to database \"postgres\"")
            self.answered("CREATE TABLE on_the_server (n int);", "CREATE TABLE")
            self.answered("SHOW port;", str(server.port))
            self.answered("\\c nowhere", "database \"nowhere\" does not exist")
            self.answered("SELECT 'still here' AS where_;", "still here\n")
        self.type("SELECT 1;")
        self.see("(?i)connection.*lost|closed|terminat")

    def test_long_statements_show_that_they_run(self):
        self.type("SELECT pg_sleep(4), 'awake' AS state;")
        self.see(r"\d+ ?s|\d+:\d\d", seconds=4)
        self.see("awake\n")


if __name__ == "__main__":
    unittest.main()
