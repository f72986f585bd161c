"""HTTP caches on loopback: a plain one, one with bazel-remote's rules, and what either may do wrong."""

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gpt2forge.checkpoint.tf1.protobuf import read_fields
from tests.fetch.servers import Handler, Seen, Server

NAME = re.compile(r"/(?:team/)?((?:ac|cas)/[0-9a-f]{64})")


@dataclass
class Harm:
    """What a server does wrong in one request.

    `status` and `wait` (Retry-After) instead of an answer; a body cut after `cut` bytes; a flipped bit; `twice` the
    body; a length of `claim` bytes more than it sends, or less; no answer or no more bytes (`hang`, after `cut`); a PUT
    that is dropped silently; `chunked`: no length at all.
    """

    status: int = 0
    wait: str = ""
    cut: int | None = None
    flip: bool = False
    twice: bool = False
    claim: int = 0
    hang: bool = False
    drop: bool = False
    chunked: bool = False


@dataclass
class Cache(Server):
    """A cache in a folder; `harms` are taken one by one by the requests whose method and path begin so.

    A harm under `* ` stays for all requests. `bazel`: entries must be ActionResults, and one whose blobs are not all
    there is not found; ranges are ignored, as bazel-remote does.
    """

    root: Path = Path()
    bazel: bool = False
    harms: dict[str, list[Harm]] = field(default_factory=dict)
    always: dict[str, Harm] = field(default_factory=dict)
    user: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def take_harm(self, request: str) -> Harm:
        for start, harms in self.harms.items():
            if harms and request.startswith(start):
                return harms.pop(0)
        return next((harm for start, harm in self.always.items() if request.startswith(start)), Harm())

    def count(self, method: str, folder: str = "") -> int:
        """Return how many requests of a method there were, for the blobs or the entries."""
        return sum(seen.method == method and f"/{folder}" in seen.path for seen in self.seen)

    def has_blobs(self, data: bytes) -> bool:
        """Return whether every blob that an ActionResult names is there, as long as it says."""
        files = [dict(read_fields(bytes(value))) for number, value in read_fields(data) if number == 2]  # type: ignore[arg-type]
        digests = [dict(read_fields(file[2])) for file in files]  # type: ignore[arg-type]
        places = [(self.root / "cas" / bytes(each[1]).decode(), each.get(2, 0)) for each in digests]  # type: ignore[arg-type]
        return all(place.is_file() and place.stat().st_size == size for place, size in places)


class CacheHandler(Handler):
    """One connection to a cache."""

    owner: Cache

    def begin(self) -> Path | None:
        """Note the request and find its file; answer it here, and return None, if it is refused or harmed."""
        self.owner.seen.append(
            Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        )
        self.harm = self.owner.take_harm(f"{self.command} {self.path}")
        name = NAME.fullmatch(urlsplit(self.path).path)
        if self.harm.hang and self.harm.cut is None:
            self.owner.released.wait(30)
            self.close_connection = True
        elif self.harm.status:
            headers = {"Retry_After": self.harm.wait} if self.harm.wait else {}
            self.send_whole(self.harm.status, b"not now", **headers)
        elif self.owner.user and self.headers.get("Authorization") != self.owner.user:
            self.send_whole(401)
        elif name is None:
            self.send_whole(400)
        else:
            return self.owner.root / name[1]
        return None

    def send_whole(self, status: int, body: bytes = b"", **headers: str) -> None:
        if self.command == "PUT":
            self.close_connection = True  # the body was not read
        self.send(status, body, **headers)

    def do_GET(self) -> None:
        path = self.begin()
        if path is None:
            return
        if not path.is_file() or (self.is_entry(path) and not self.owner.has_blobs(path.read_bytes())):
            self.send(404, b"Not found")
            return
        self.send_body(path.read_bytes())

    do_HEAD = do_GET

    def is_entry(self, path: Path) -> bool:
        return self.owner.bazel and path.parent.name == "ac"

    def send_body(self, content: bytes) -> None:
        harm = self.harm
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "") if not self.owner.bazel else None
        start = int(wanted[1]) if wanted else 0
        body = content[start:] * (2 if harm.twice else 1)
        if harm.flip:
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content) + harm.claim}")
        if harm.chunked:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body) + harm.claim))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body if harm.cut is None else body[: harm.cut])
        self.wfile.flush()
        if harm.hang:
            self.owner.released.wait(30)
        if harm.hang or harm.cut is not None or harm.claim:
            self.close_connection = True

    def do_PUT(self) -> None:
        path = self.begin()
        if path is None:
            return
        length = int(self.headers["Content-Length"])
        if self.harm.cut is not None:
            self.rfile.read(self.harm.cut)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        if self.is_entry(path) and not any(number == 9 for number, _ in read_fields(body)):
            self.send(400)
            return
        if not self.harm.drop:
            path.parent.mkdir(exist_ok=True)
            aside = path.with_name(f"{path.name}.{time.monotonic_ns()}.{threading.get_ident()}")
            aside.write_bytes(body)
            aside.replace(path)
        self.send(201)
