#!/usr/bin/env python3
"""Sends a server what no client should: random bytes, wrong lengths, cut messages, messages out of order.

Each attack uses a connection of its own. A bystander keeps a transaction open all the while and runs a statement every few attacks:
its answers must stay right, and new connections must be accepted. The seed is printed; --seed repeats a run.

The server is named by PGHOST and PGPORT."""
import argparse
import os
import random
import socket
import struct
import sys
import time

HOST = os.environ.get("PGHOST", "127.0.0.1")
PORT = int(os.environ.get("PGPORT", "5432"))


class Broken(Exception):
    """The server did something it may not do."""


def message(kind, body=b"", length=None):
    return kind + struct.pack("!i", len(body) + 4 if length is None else length) + body


def start_packet(**parameters):
    body = struct.pack("!i", 196608)
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    return struct.pack("!i", len(body) + 5) + body + b"\0"


class Client:
    def __init__(self, start=True):
        self.socket = socket.create_connection((HOST, PORT), timeout=20)
        if start:
            self.send(start_packet(user="postgres", database="postgres"))
            self.until_ready()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("closed by the server")
            data += more
        return data

    def next(self):
        kind = self.receive(1)
        (length,) = struct.unpack("!i", self.receive(4))
        return kind, self.receive(length - 4)

    def until_ready(self):
        """The messages up to ReadyForQuery."""
        messages = []
        while True:
            kind, body = self.next()
            messages.append((kind, body))
            if kind == b"Z":
                return messages

    def ask(self, sql):
        self.send(message(b"Q", sql.encode() + b"\0"))
        answer = self.until_ready()
        rows = [body[6:] for kind, body in answer if kind == b"D"]
        errors = [body for kind, body in answer if kind == b"E"]
        return rows, errors

    def drain(self, seconds):
        """Reads what comes until the server closes or falls silent, and checks that it is well-formed messages."""
        self.socket.settimeout(seconds)
        data = b""
        try:
            while True:
                more = self.socket.recv(65536)
                if not more:
                    break
                data += more
        except (socket.timeout, ConnectionError):
            pass
        return data

    def close(self):
        self.socket.close()


def random_bytes(rng):
    return rng.randbytes(rng.choice([1, 3, 4, 7, 8, 9, 40, 400, 5000]))


def before_start(rng):
    """Anything but a start-up packet."""
    client = Client(start=False)
    attack = rng.randrange(6)
    if attack == 0:
        client.send(random_bytes(rng))
    elif attack == 1:
        client.send(struct.pack("!i", rng.choice([-1, 0, 3, 4, 7, 10001, 2**31 - 1, -2**31])) + random_bytes(rng))
    elif attack == 2:
        client.send(start_packet(user="postgres", database="postgres")[: rng.randrange(1, 30)])
    elif attack == 3:
        client.send(struct.pack("!ii", 8, rng.choice([80877103, 80877104])) + random_bytes(rng))
    elif attack == 4:
        client.send(struct.pack("!iiii", 16, 80877102, rng.randrange(1000), rng.getrandbits(31)))
    else:
        body = struct.pack("!i", rng.choice([196608, 196609, 131072, 1 << 20])) + random_bytes(rng)
        client.send(struct.pack("!i", len(body) + 4) + body)
    return client


KINDS = b"QPBEDCSHFdcfXp?\0\xffzZ"


def wrong_messages(rng):
    """Messages of any type with any body and any length."""
    client = Client()
    for _ in range(rng.randrange(1, 8)):
        kind = bytes([rng.choice(KINDS) if rng.random() < 0.8 else rng.randrange(256)])
        body = random_bytes(rng) if rng.random() < 0.7 else b"x\0" * rng.randrange(20)
        length = None if rng.random() < 0.7 else rng.choice([-1, 0, 3, 4, len(body), len(body) + 100, 2**31 - 1, 1 << 30, -2**31])
        client.send(message(kind, body, length))
    return client


def broken_extended(rng):
    """Extended-protocol messages with a few bytes changed, out of order, or cut short."""
    pieces = [
        message(b"P", b"s\0select $1::int + 1\0" + struct.pack("!hi", 1, 23)),
        message(b"B", b"\0s\0" + struct.pack("!hhhi", 1, 1, 1, 4) + struct.pack("!i", 41) + struct.pack("!hh", 1, 1)),
        message(b"B", b"p\0s\0" + struct.pack("!hhi", 0, 1, 2) + b"41" + struct.pack("!h", 0)),
        message(b"D", b"Ss\0"), message(b"D", b"Pp\0"),
        message(b"E", b"\0" + struct.pack("!i", 0)), message(b"E", b"p\0" + struct.pack("!i", rng.choice([-1, 1, 2**31 - 1]))),
        message(b"C", b"Ss\0"), message(b"H"), message(b"S"),
        message(b"B", b"\0s\0" + struct.pack("!hhi", 0, rng.choice([-1, 2, 32767]), rng.choice([-2, -1, 2**31 - 1]))),
    ]
    rng.shuffle(pieces)
    data = bytearray(b"".join(pieces))
    for _ in range(rng.randrange(6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    client = Client()
    client.send(bytes(data[: rng.randrange(1, len(data) + 1)] if rng.random() < 0.4 else data) + message(b"S"))
    return client


def broken_copy(rng):
    """A COPY that goes wrong in the middle, or that its sender forgets."""
    client = Client()
    form = rng.choice(["text", "csv", "binary"])
    client.send(message(b"Q", f"create temp table t (a int, b text); copy t from stdin (format {form})\0".encode()))
    for _ in range(rng.randrange(1, 5)):
        body = rng.choice([random_bytes(rng), b"1\ta\n", b"1,\"a\n", b"PGCOPY\n\xff\r\n\0" + b"\0" * 8 + random_bytes(rng), b"\\.\n", b"\\", b""])
        client.send(message(b"d", body))
    ends = [message(b"c"), message(b"f", b"no more\0"), message(b"Q", b"select 1\0"), message(b"S"), message(b"d", b"x", 2**31 - 1), b""]
    client.send(rng.choice(ends))
    return client


def broken_text(rng):
    """Statements that are not UTF-8, not SQL, or not finished."""
    client = Client()
    tokens = [b"select", b"(", b")", b"'", b"\"", b"$1", b"$$", b"/*", b"--", b";", b"\xff", b"\xc3", b"1", b"::int", b"from", b"t", b",", b"E'\\u",
              b"case", b"when", b"e'\\x", b"1e999999", b"9" * 400, b"U&'\\", b"interval", b"'99999999999 y'", b"[", b"array", b"::bytea"]
    for _ in range(rng.randrange(1, 4)):
        text = b" ".join(rng.choice(tokens) for _ in range(rng.randrange(1, 12)))
        client.send(message(b"Q", text + (b"\0" if rng.random() < 0.9 else b"")))
    return client


def vanish(rng):
    """A client that is gone in the middle of its statement's answer."""
    client = Client()
    client.send(message(b"Q", b"begin; select repeat('x', 1000) from generate_series(1, 20000)\0"))
    client.socket.recv(rng.choice([1, 100, 5000]))
    return client


ATTACKS = [before_start, wrong_messages, broken_extended, broken_copy, broken_text, vanish]


def well_formed(data, attack):
    """What the server sends must be messages even when what it got was not. Before a session there may be a lone N."""
    if attack is before_start and data[:1] in (b"N", b"S"):
        data = data[1:]
    at = 0
    while at + 5 <= len(data):
        (length,) = struct.unpack("!i", data[at + 1: at + 5])
        if attack is before_start and data[:1] == b"E" and length > len(data):
            return      # PostgreSQL answers clients of before 2003 in their own way: text without a length
        if length < 4 or data[at: at + 1] not in (b"R", b"S", b"K", b"Z", b"E", b"N", b"T", b"D", b"C", b"G", b"H", b"d", b"c", b"1", b"2", b"3", b"n",
                                                  b"t", b"s", b"I", b"v", b"A"):
            raise Broken(f"{attack.__name__}: the server sent {data[at: at + 40]!r}")
        if data[at: at + 1] == b"E":
            fields = dict((field[:1], field[1:]) for field in data[at + 5: at + 1 + length].split(b"\0") if field)
            if fields.get(b"C", b"XX000").startswith(b"XX"):
                raise Broken(f"{attack.__name__}: an internal error: {fields}")
        at += 1 + length


def check_bystander(bystander, count):
    rows, errors = bystander.ask(f"select {count} + (select a from kept)")
    if errors or rows != [str(count + 7).encode()]:
        raise Broken(f"the bystander was answered {rows} {errors}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.getrandbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    bystander = Client()
    bystander.ask("begin; create temp table kept (a int); insert into kept values (7)")
    ends_at = time.monotonic() + arguments.seconds
    count = 0
    last = None
    try:
        while time.monotonic() < ends_at:
            last = rng.choice(ATTACKS)
            try:
                client = last(rng)
                # Half of the attackers do not wait for an answer, nor say good-bye.
                if last is not vanish and rng.random() < 0.5:
                    well_formed(client.drain(0.05), last)
                client.close()
            except (ConnectionResetError, BrokenPipeError):
                pass
            count += 1
            if count % 10 == 0:
                check_bystander(bystander, count)
        check_bystander(bystander, count)
        fresh = Client()
        if fresh.ask("select 1")[0] != [b"1"]:
            raise Broken("a new session is not answered")
    except (Broken, ConnectionError, socket.timeout) as error:
        print(f"after {count} attacks, the last {last.__name__ if last else 'none'}: {error!r}")
        return 1
    print(f"{count} attacks, all survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
