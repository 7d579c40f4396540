#!/usr/bin/env python3
"""Draws docs/repl.svg: a session of the shell in a real terminal (tmux), typed by this script, with the colours it has there.

    draw_repl.py --server target/ci/heliosdb-nano               draws it anew
    draw_repl.py --server ... --output /tmp/repl.svg            into another file"""
import argparse
import os
import pathlib
import re
import subprocess
import tempfile
import time
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS, LINES = 100, 42
TYPED = [
    "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, joined date, notes jsonb);",
    "INSERT INTO users VALUES (1, 'Alice', '2025-12-08', '{\"plan\": \"free\"}'), (2, 'Bob', NULL, NULL);",
    "SELECT u.id, name, joined, notes->>'plan' AS plan  -- NULL is drawn",
    "FROM users u WHERE id < 10 ORDER BY joined;",
    "SELECT id, nam FROM users;",
    "\\d users",
    "\\timing",
    "SELECT count(*), avg(n)::numeric(10,1) FROM generate_series(1, 1000000) AS n;",
]
# What is left standing for completion to show: the keys, and the key that asks.
LAST = "SELECT * FROM users WHERE jo"

BACKGROUND, FOREGROUND, FAINT = "#16181d", "#d4d7dd", "#6f7681"
PALETTE = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf",
           "#7f848e", "#ff7b86", "#a9dc86", "#f2d08b", "#7cc0ff", "#d78cee", "#6bd0dd", "#ffffff"]
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 14


class Terminal:
    """A program in a tmux of its own."""

    def __init__(self, command, home):
        self.tmux = ["tmux", "-L", f"draw-{os.getpid()}"]
        self.run("-f", os.devnull, "new-session", "-d", "-s", "shell", "-x", str(COLUMNS), "-y", str(LINES),
                 f"env HOME={home} TERM=xterm-256color TZ=UTC {command}")

    def run(self, *arguments):
        return subprocess.run([*self.tmux, *arguments], check=True, capture_output=True, text=True).stdout

    def keys(self, *keys):
        self.run("send-keys", "-t", "shell", *keys)

    def type(self, text):
        # A semicolon at the end would be tmux's own.
        self.keys("-l", "--", re.sub(r";$", r"\\;", text))

    def screen(self):
        return self.run("capture-pane", "-t", "shell", "-e", "-p")

    def settle(self, limit_s=20):
        """Waits until the screen has not changed for a while."""
        before, since, started = None, time.monotonic(), time.monotonic()
        while time.monotonic() - started < limit_s:
            now = self.screen()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > 0.6:
                return now
            time.sleep(0.1)
        return before

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, capture_output=True)


class Style:
    """How characters look, as the escape sequences before them say."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.foreground = self.background = None
        self.bold = self.faint = self.underline = self.reverse = False

    def apply(self, parameters):
        codes = [int(code or 0) for code in parameters.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.reset()
            elif code in (1, 2, 4, 7, 24, 27):
                setattr(self, {1: "bold", 2: "faint", 4: "underline", 7: "reverse"}[code % 20], code < 20)
            elif code == 22:
                self.bold = self.faint = False
            elif code in (38, 48) and codes[:1] == [5]:
                setattr(self, "foreground" if code == 38 else "background", codes[1])
                del codes[:2]
            elif code == 39:
                self.foreground = None
            elif code == 49:
                self.background = None
            else:
                for start, name, offset in [(30, "foreground", 0), (40, "background", 0), (90, "foreground", 8), (100, "background", 8)]:
                    if start <= code < start + 8:
                        setattr(self, name, code - start + offset)

    def colours(self):
        front = PALETTE[self.foreground] if self.foreground is not None and self.foreground < 16 else FAINT if self.faint else FOREGROUND
        back = PALETTE[self.background] if self.background is not None and self.background < 16 else None
        return (back or BACKGROUND, front) if self.reverse else (front, back)


def runs(line, style):
    """A line's pieces of one look: where each begins, its text, its colours."""
    at = 0
    for text, parameters in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m)?", line):
        if text:
            front, back = style.colours()
            yield at, text, front, back, style.bold, style.underline
            at += len(text)
        style.apply(parameters) if parameters else None


def drawn(screen):
    lines = screen.rstrip("\n").split("\n")
    while lines and not re.sub(r"\x1b\[[\d;]*m", "", lines[-1]).strip():
        lines.pop()
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
             f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">',
             f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>']
    style = Style()
    for number, line in enumerate(lines):
        y, spans = MARGIN + (number + 0.75) * CELL_HEIGHT, []
        for at, text, front, back, bold, underline in runs(line, style):
            x = MARGIN + at * CELL_WIDTH
            if back:
                parts.append(f'<rect x="{x:.1f}" y="{y - 0.75 * CELL_HEIGHT:.1f}" width="{len(text) * CELL_WIDTH:.1f}" height="{CELL_HEIGHT}" fill="{back}"/>')
            look = (' font-weight="bold"' if bold else "") + (' text-decoration="underline"' if underline else "")
            if text.strip():
                spans.append(f'<tspan x="{x:.1f}" textLength="{len(text) * CELL_WIDTH:.1f}" fill="{front}"{look}>{escape(text)}</tspan>')
        if spans:
            parts.append(f'<text y="{y:.1f}" xml:space="preserve">{"".join(spans)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, type=pathlib.Path, help="the program whose shell is drawn")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "repl.svg")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal(f"{arguments.server.resolve()} repl --memory", home)
        try:
            terminal.settle()
            for line in TYPED:
                terminal.type(line)
                terminal.keys("Enter")
                terminal.settle()
            terminal.type(LAST)
            terminal.keys("Tab")
            screen = terminal.settle()
        finally:
            terminal.close()
    if "users" not in screen:
        raise SystemExit(f"the shell did not answer:\n{screen}")
    arguments.output.write_text(drawn(screen))


if __name__ == "__main__":
    main()
