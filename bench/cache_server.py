"""An HTTP cache on loopback, for measurements: GET, HEAD and PUT of files in a folder, and a log of the requests.

`python -m bench.cache_server FOLDER LOG` prints its address and serves until it is ended. Each line of the log has the
method and the bytes of one answer. Files leave by sendfile(2), as they leave a web server.
"""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDERS = ("cas", "ac")
PIECE = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    root: Path
    log: Path
    wbufsize = 0

    def find(self) -> Path | None:
        folder, _, name = self.path.strip("/").partition("/")
        return self.root / folder / name if folder in FOLDERS and name.isalnum() else None

    def do_GET(self) -> None:
        path = self.find()
        if path is None or not path.is_file():
            self.answer(404)
            return
        size = path.stat().st_size
        self.answer(200, size)
        if self.command == "GET":
            with path.open("rb") as file:
                self.connection.sendfile(file)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        path, left = self.find(), int(self.headers["Content-Length"])
        if path is None:
            self.answer(400)
            return
        path.parent.mkdir(exist_ok=True)
        aside = path.with_suffix(".aside")
        with aside.open("wb") as file:
            while left and (piece := self.rfile.read(min(PIECE, left))):
                left -= file.write(piece)
        aside.replace(path)
        self.answer(201)

    def answer(self, status: int, size: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{self.command} {size if self.command == 'GET' else 0}\n")

    def log_message(self, format: str, *args: object) -> None: ...


class Server(ThreadingHTTPServer):
    """Answers at once: Nagle's algorithm would wait for more to send."""

    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


def main() -> None:
    Handler.root, Handler.log = Path(sys.argv[1]), Path(sys.argv[2])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
