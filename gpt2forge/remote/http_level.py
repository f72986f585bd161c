"""A level behind HTTP, in the layout of Bazel's remote caches: GET, HEAD and PUT of /cas/<sha256> and /ac/<key>.

bazel-remote speaks it (https://github.com/buchgr/bazel-remote), and so does a web server that lets a folder be written,
such as nginx with `dav_methods PUT`. A user and a password are taken from the address or from ~/.netrc.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NoReturn

import httpx2

from gpt2forge import __version__
from gpt2forge.errors import UserError
from gpt2forge.fetch.answer import PASSING, parse_extent, parse_wait
from gpt2forge.fetch.remote_file import Reply
from gpt2forge.fetch.retry import Unreachable, retry
from gpt2forge.remote.blob import Blob, Content
from gpt2forge.remote.level import LARGEST_ENTRY, BlobGone, Refused
from gpt2forge.remote.limits import ANSWER, PAUSES, STALL, Deadline, give_up, limit_answer, limit_transfer, within

HEADERS = {"User-Agent": f"gpt2forge/{__version__}", "Accept-Encoding": "identity"}
REFUSING = {401, 403, 405, 407, 501}
GONE = {404, 410}
CONNECT = 1.5  # seconds
TOGETHER = 16  # pieces, of 64 kB at most, that are written and hashed at once


class HttpLevel:
    """A level at an address such as `https://cache.example/team`; `name` is the address without the user."""

    def __init__(self, address: str, name: str) -> None:
        self.name, url = name, httpx2.URL(address)
        auth = (url.username, url.password) if url.userinfo else read_netrc()
        self.client = httpx2.Client(auth=auth, headers=HEADERS, follow_redirects=True)

    def has(self, blob: Blob) -> bool:
        return within(ANSWER, partial(retry, partial(self.ask, blob), pauses=PAUSES), self.name)

    def ask(self, blob: Blob) -> bool:
        with self.request("HEAD", self.place(blob)) as response:
            if response.status_code in GONE:
                return False
            self.check(response)
            _, total = parse_extent(response.status_code, response.headers)
            return total in (None, blob.size)

    @contextmanager
    def open(self, blob: Blob, offset: int) -> Iterator[Reply]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self.request("GET", self.place(blob), headers=headers, seconds=STALL) as response:
            if response.status_code in GONE:
                raise BlobGone(f"{self.name}: has no {blob.digest} any more")
            self.check(response)
            start, total = parse_extent(response.status_code, response.headers)
            yield Reply(start, total, self.read_pieces(response))

    def read_pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        """Yield the body in larger pieces than it arrives in; if it is cut, first what has arrived."""
        held: list[bytes] = []
        try:
            for piece in response.iter_raw():
                held.append(piece)
                if len(held) == TOGETHER:
                    yield b"".join(held)
                    held.clear()
        except httpx2.HTTPError as error:
            yield b"".join(held)
            self.raise_explained(error)
        yield b"".join(held)

    def write(self, content: Content) -> None:
        retry(partial(self.put, self.place(content.blob), content), pauses=PAUSES)

    def put(self, path: str, content: Content) -> None:
        deadline, size = Deadline(self.name, content.blob.size), content.blob.size
        body = content.read(deadline.check)
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        seconds = limit_answer(size)
        with self.request("PUT", path, body=body, headers=headers, size=size, seconds=seconds) as response:
            self.check(response)

    def read_entry(self, key: str) -> bytes | None:
        return within(ANSWER, partial(retry, partial(self.get_entry, key), pauses=PAUSES), self.name)

    def get_entry(self, key: str) -> bytes | None:
        with self.request("GET", f"/ac/{key}") as response:
            if response.status_code in GONE:
                return None
            self.check(response)
            data = bytearray()
            with self.explained():
                for piece in response.iter_raw():
                    data += piece
                    if len(data) > LARGEST_ENTRY:
                        raise UserError(f"{self.name}: sends an entry of more than {LARGEST_ENTRY} bytes")
            return bytes(data)

    def write_entry(self, key: str, data: bytes) -> None:
        retry(partial(self.put_entry, key, data), pauses=PAUSES)

    def put_entry(self, key: str, data: bytes) -> None:
        with self.request("PUT", f"/ac/{key}", body=data, seconds=limit_answer(len(data))) as response:
            self.check(response)

    def place(self, blob: Blob) -> str:
        return f"/cas/{blob.digest}"

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: Iterator[bytes] | bytes | None = None,
        size: int = 0,
        seconds: float = ANSWER,
    ) -> Iterator[httpx2.Response]:
        """Send a request and yield the answer, whose body is still to be read.

        `size` is that of the body in bytes, `seconds` how long the server may be silent after it.
        """
        timeout = httpx2.Timeout(STALL, connect=CONNECT, read=seconds)
        with self.explained():
            request = self.client.build_request(
                method, self.name + path, headers=headers, content=body, timeout=timeout
            )
            send = partial(self.client.send, request, stream=True)  # a server may send its headers byte by byte
            response = within(seconds + (limit_transfer(size) if size else 0.0), send, self.name)
        try:
            yield response
        finally:
            with suppress(httpx2.HTTPError):
                response.close()

    def check(self, response: httpx2.Response) -> None:
        """Raise the error for a status of HTTP, unless it is that of success."""
        status = response.status_code
        if status in PASSING:
            wait = parse_wait(response.headers)
            raise Unreachable(f"{self.name}: answers {status}", "try later", wait=wait, is_final=wait > ANSWER)
        if status in REFUSING:
            raise Refused(f"{self.name}: answers {status}, so this user may not do that")
        if not response.is_success:
            raise UserError(f"{self.name}: answers {status}")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise the errors of httpx2 as those of a level."""
        try:
            yield
        except httpx2.HTTPError as error:
            self.raise_explained(error)

    def raise_explained(self, error: httpx2.HTTPError) -> NoReturn:
        if isinstance(error, httpx2.TimeoutException):
            raise give_up(self.name, "does not answer") from error
        if isinstance(error, httpx2.TransportError):
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self.name}: cannot be reached ({reason})", "check the network") from error
        raise UserError(f"{self.name}: {error}") from error


def read_netrc() -> httpx2.Auth | None:
    """Return the users and passwords in ~/.netrc, or in the file of the variable NETRC; None if it cannot be read."""
    with suppress(OSError, SyntaxError):  # NetrcParseError is a SyntaxError
        return httpx2.NetRCAuth(os.environ.get("NETRC"))
    return None
