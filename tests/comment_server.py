"""GitHub's API for the comments on one pull request, on loopback.

https://docs.github.com/en/rest/issues/comments
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN, NUMBER = "a-token", "7"
BOT, PERSON = "github-actions[bot]", "a-person"


class CommentServer(ThreadingHTTPServer):
    """The comments on the pull request NUMBER of `repository`; only TOKEN may read and write."""

    def __init__(self, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), Answerer)
        self.repository = repository
        self.comments: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, body: str, login: str = BOT) -> None:
        self.comments.append({"id": 100 + len(self.comments), "user": {"login": login}, "body": body})


class Answerer(BaseHTTPRequestHandler):
    server: CommentServer

    def do_GET(self) -> None:
        self.answer(200 if self.matches(f"{NUMBER}/comments") else 404, self.server.comments)

    def do_POST(self) -> None:
        body = self.read_body()
        if self.matches(f"{NUMBER}/comments"):
            self.server.add(body)
            self.answer(201, self.server.comments[-1])
        else:
            self.answer(404, {})

    def do_PATCH(self) -> None:
        body = self.read_body()
        found = [each for each in self.server.comments if self.matches(f"comments/{each['id']}")]
        for comment in found:
            comment["body"] = body
        self.answer(200 if found else 404, found)

    def matches(self, path: str) -> bool:
        expected = f"/repos/{self.server.repository}/issues/{path}"
        return self.headers["Authorization"] == f"Bearer {TOKEN}" and re.sub(r"\?.*", "", self.path) == expected

    def read_body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def answer(self, status: int, value: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serve_comments(repository: str) -> Iterator[CommentServer]:
    with CommentServer(repository) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
