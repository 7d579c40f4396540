"""PostgreSQL's protocol by hand, for what no driver would send: start-up, SCRAM step by step, TLS at any moment."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Raw:
    """A connection of which every byte is the test's own."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def encrypt(self):
        self.socket = self.context.wrap_socket(self.socket)

    def request_tls(self):
        """Asks for TLS; the server's answer."""
        self.socket.sendall(SSL_REQUEST)
        answer = self.socket.recv(1)
        if answer == b"S":
            self.encrypt()
        return answer

    def certificate_hash(self):
        return hashlib.sha256(self.socket.getpeercert(True)).digest()

    def start_up(self, user, database="heliosdb", **parameters):
        parameters = dict(user=user, database=database, **parameters)
        body = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in parameters.items()) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, 3 << 16) + body)

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise EOFError("the server has closed the connection")
            data += piece
        return data

    def message(self):
        """The next message: its kind and body."""
        header = self.exactly(5)
        return header[:1], self.exactly(struct.unpack("!i", header[1:])[0] - 4)

    def error(self):
        """The fields of the error that comes next, by letter."""
        while True:
            kind, body = self.message()
            if kind == b"E":
                return {field[:1].decode(): field[1:].decode() for field in body.split(b"\0") if field}

    def until_ready(self):
        while self.message()[0] != b"Z":
            pass

    def mechanisms(self):
        """What a server that asks for SASL offers."""
        kind, body = self.message()
        assert kind == b"R" and body[:4] == struct.pack("!i", 10), (kind, body)
        return [name.decode() for name in body[4:].split(b"\0") if name]


class Scram:
    """A client's half of SCRAM-SHA-256."""

    def __init__(self, raw, password, mechanism="SCRAM-SHA-256", header="n,,", channel=b"", nonce=None):
        self.raw, self.password, self.mechanism, self.header, self.channel = raw, password, mechanism, header, channel
        self.nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n=,r={self.nonce}"

    def send_first(self):
        data = (self.header + self.bare).encode()
        self.raw.send(b"p", self.mechanism.encode() + b"\0" + struct.pack("!i", len(data)) + data)

    def read_challenge(self):
        kind, body = self.raw.message()
        assert kind == b"R" and body[:4] == struct.pack("!i", 11), (kind, body)
        self.challenge = body[4:].decode()
        return self.challenge

    def last(self):
        """The client's last message, with its proof."""
        parts = dict(part.split("=", 1) for part in self.challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        channel = base64.b64encode(self.header.encode() + self.channel).decode()
        without_proof = f"c={channel},r={parts['r']}"
        said = f"{self.bare},{self.challenge},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def run(self):
        """The whole exchange, to the client's last message."""
        self.send_first()
        self.read_challenge()
        self.raw.send(b"p", self.last().encode())
