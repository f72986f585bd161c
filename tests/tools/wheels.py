"""Small wheels, and a package index on loopback that serves them (PEP 503)."""

import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, requires: Sequence[str] = (), padding: int = 0) -> Path:
    """Write a wheel that pip installs; `padding` is bytes of content."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    files = {
        f"{name.replace('-', '_')}.bin": bytes(padding),
        f"{stem}.dist-info/METADATA": "\n".join([*lines, ""]).encode(),
        f"{stem}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{stem}.dist-info/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{stem}.dist-info/RECORD": record.encode()}.items():
            archive.writestr(file, content)
    return path


@dataclass
class Index:
    """An index: a folder for each project under `folder`; `asked` holds the paths that were requested."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, index: Index, **others: object) -> None:
        self.index = index
        super().__init__(*arguments, directory=str(index.folder), **others)  # type: ignore[arg-type]

    def log_message(self, format: str, *arguments: object) -> None:
        self.index.asked.append(self.path)


@contextmanager
def serve(folder: Path) -> Iterator[Index]:
    """Serve a folder of projects; a folder's listing is the page of links that pip reads."""
    folder.mkdir(parents=True, exist_ok=True)
    index = Index(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, index=index)) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
