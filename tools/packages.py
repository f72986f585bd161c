"""The packages that pip installs, their sizes, and its progress."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

HEAD_TIMEOUT = 10.0  # seconds
HEAD_THREADS = 8
LARGE = 8 << 20  # bytes; smaller downloads are not announced
UNUSED = r"/transformers/models/(?!auto/|gpt2/)|/tests?/"
"""The Python files that are not compiled: a third of all, which are hardly ever imported."""
INTERVAL = 0.2  # seconds between two states of the line


class PipFault(Exception):
    """pip failed; the message is one line with the command and the reason."""


@dataclass(frozen=True)
class Package:
    """A distribution that pip would install, and the file that it comes from."""

    name: str
    version: str
    url: str

    @property
    def is_remote(self) -> bool:
        return urlsplit(self.url).scheme in ("http", "https")


@dataclass(frozen=True)
class Pip:
    """The pip of an environment. `say` writes one line; `is_terminal`: the last line may be written over."""

    python: Path
    say: Callable[[str], None]
    is_terminal: bool = False

    def resolve(self, arguments: Iterable[str]) -> list[Package]:
        """Return what `pip install` with these arguments would install, without what is installed already.

        Reads metadata alone where the index has it. Raises PipFault.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            self.run(("-q", "--dry-run", "--report", str(report), *arguments))
            found = json.loads(report.read_text(encoding="utf-8"))["install"]
        return [
            Package(each["metadata"]["name"], each["metadata"]["version"], each["download_info"]["url"])
            for each in found
        ]

    def install(self, arguments: Sequence[str]) -> None:
        """Install, with progress: packages, bytes, the current package and the rate. Raises PipFault."""
        packages = self.resolve(arguments)
        if not packages:
            return
        total = measure_downloads(packages)
        if total > LARGE:
            self.say(f"{len(packages)} packages, {describe_bytes(total)} to download unless pip has kept them")
        self.run(("--no-compile", "--progress-bar", "raw", *arguments), Progress(self, total).read)

    def compile(self) -> None:
        """Write the byte code of what is installed, on every processor; pip itself would use one.

        UNUSED is left out. Files that are no Python of this version, as some packages have among their tests, are too.
        """
        find = "import sysconfig; print(sysconfig.get_path('purelib'))"
        folder = subprocess.run((self.python, "-c", find), capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run((self.python, "-m", "compileall", "-qq", "-j0", "-x", UNUSED, folder), check=False)

    def show(self, text: str) -> None:
        """Overwrite the terminal's last line; write nothing to a log."""
        if self.is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def run(self, arguments: Sequence[str], read: Callable[[str], None] = lambda line: None) -> None:
        """Run `pip install`; `read` is called with each line of its output. Raises PipFault."""
        command = (str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", *arguments)
        lines: list[str] = []
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.strip())
                read(lines[-1])
        if process.returncode:
            raise PipFault(f"`pip install {' '.join(arguments)}` failed: {find_error(lines)}")


def find_error(lines: Sequence[str]) -> str:
    """Return the last lines that pip calls errors, else its last line."""
    errors = [line for line in lines if line.lower().startswith("error")]
    return "; ".join(errors[-2:] or [line for line in lines if line][-1:]) or "no output"


class Progress:
    """Follows the lines that pip writes, and shows its progress.

    On a terminal one line is written over; in a log each large file has a line.
    """

    def __init__(self, pip: "Pip", total: int) -> None:
        self.pip = pip
        self.total = total  # bytes, of all files
        self.finished = 0  # bytes, of the files that are complete
        self.name = ""
        self.began = time.monotonic()
        self.shown = 0.0  # when the line was last written, seconds

    def read(self, line: str) -> None:
        words = line.split()
        if words[:1] == ["Downloading"] and not words[1].endswith(".metadata"):
            self.name = words[1].rpartition("/")[2].partition("-")[0]
        elif len(words) == 4 and (words[0], words[2]) == ("Progress", "of"):
            self.show(int(words[1]), int(words[3]))
        elif line.startswith("Installing collected packages:"):
            self.pip.show("")
            if self.total > LARGE:
                self.pip.say(f"unpacking {line.count(',') + 1} packages")

    def show(self, done: int, size: int) -> None:
        """Show `done` of the `size` bytes of the present file."""
        now = time.monotonic()
        if done == 0 and size > LARGE and not self.pip.is_terminal:
            self.pip.say(f"downloading {self.name}, {describe_bytes(size)}")
        elif self.pip.is_terminal and now - self.shown > INTERVAL:
            self.shown = now
            self.pip.show(describe_progress(self.name, self.finished + done, self.total, now - self.began))
        if done == size:
            self.finished += size


def describe_progress(name: str, done: int, total: int, seconds: float) -> str:
    """Return one line of progress: the file, the bytes done, the rate, and the time left."""
    rate = done / seconds if seconds else 0.0
    left = f", {(total - done) / rate:.0f} s left" if rate and total > done else ""
    return f"downloading {name}: {done / 1e6:.0f} of {describe_bytes(total)}, {rate / 1e6:.1f} MB/s{left}"


def measure_downloads(packages: Sequence[Package]) -> int:
    """Return the bytes of the packages' files together; a size that the server does not give counts as 0."""
    with ThreadPoolExecutor(HEAD_THREADS) as pool:
        return sum(pool.map(measure_file, [package for package in packages if package.is_remote]))


def measure_file(package: Package) -> int:
    try:
        with urlopen(Request(package.url, method="HEAD"), timeout=HEAD_TIMEOUT) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (URLError, OSError, ValueError):
        return 0


def describe_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
