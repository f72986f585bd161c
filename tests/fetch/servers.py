"""Servers on loopback, and one that answers as OpenAI's storage does.

A server keeps the requests that it got. `faults` holds, by the end of a path, what it does wrong in the next requests.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

STATISTICS = "/api/agent-harnesses"  # huggingface_hub may ask for it once, for its own statistics


@dataclass
class Fault:
    """A fault of a server: another status, a cut after some bytes, other bytes, another length, no end."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    cut: int | None = None
    damage: bool = False
    longer: int = 0
    stall: int | None = None


@dataclass(frozen=True)
class Seen:
    """A request that a server got."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server in a thread of this process; `seen` are its requests."""

    seen: list[Seen] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    stalled: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def fail(self, end: str, *faults: Fault) -> None:
        """Do this in the next requests whose path ends so."""
        self.faults.setdefault(end, []).extend(faults)

    def take_fault(self, path: str) -> Fault:
        for end, faults in self.faults.items():
            if faults and path.endswith(end):
                return faults.pop(0)
        return Fault()

    def list_paths(self, end: str = "") -> list[str]:
        return [seen.path for seen in self.seen if seen.path.endswith(end) and seen.method == "GET"]

    def answer(self, request: "Handler") -> None:
        raise NotImplementedError


class Handler(BaseHTTPRequestHandler):
    """One connection to a server."""

    protocol_version = "HTTP/1.1"
    owner: Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path != STATISTICS:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.owner.seen.append(Seen(self.command, path, headers))
        self.fault = self.owner.take_fault(path)
        if self.fault.status:
            self.send(self.fault.status, self.fault.body, **self.fault.headers)
        else:
            self.owner.answer(self)

    do_HEAD = do_GET

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer whole."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def send_json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def send_file(self, content: bytes, **headers: str) -> None:
        """Send a file, or the rest of it that `Range` asks for, with the fault of this request."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted else 0
        if start >= len(content) > 0 and wanted:
            self.send(416, Content_Range=f"bytes */{len(content)}")
            return
        fault, body = self.fault, content[start:]
        if fault.damage:
            body = bytes([body[0] ^ 1]) + body[1:]
        body += b"x" * fault.longer
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in {**headers, "Content_Length": str(len(body)), "Accept_Ranges": "bytes"}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.write(body)

    def write(self, body: bytes) -> None:
        if self.fault.stall is not None:
            self.wfile.write(body[: self.fault.stall])
            self.wfile.flush()
            self.owner.stalled.set()
            self.connection.recv(1)  # until the client hangs up
            self.close_connection = True
        elif self.fault.cut is not None:
            self.wfile.write(body[: self.fault.cut])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def serve(server: Server, handler: type[Handler] = Handler) -> Iterator[str]:
    """Run a server; yield its address."""
    kind = type("Bound", (handler,), {"owner": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield server.url
        finally:
            http.shutdown()
            thread.join()


@dataclass
class Folder(Server):
    """OpenAI's storage: the files of a folder."""

    root: Path = Path()

    def answer(self, request: Handler) -> None:
        path = self.root / urlsplit(request.path).path.lstrip("/")
        if path.is_file():
            request.send_file(path.read_bytes(), ETag='"0x8D"')
        else:
            request.send(404, b"<Error><Code>BlobNotFound</Code></Error>", Content_Type="application/xml")
