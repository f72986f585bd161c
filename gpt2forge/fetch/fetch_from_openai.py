"""Fetches a model that OpenAI published, as https://github.com/openai/gpt-2/blob/master/download_model.py does.

Another address that holds the same files, a mirror, may be named by GPT2FORGE_OPENAI_URL.
"""

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import OpenaiAddress
from gpt2forge.fetch.answer import PASSING, parse_extent, parse_wait
from gpt2forge.fetch.download import AGAIN, check_room, download
from gpt2forge.fetch.fetched import DOWNLOADS, OPENAI_FILES, Fetched, name_openai_folder
from gpt2forge.fetch.part import measure, name_part
from gpt2forge.fetch.remote_file import RemoteFile, Reply
from gpt2forge.fetch.retry import Unreachable, retry
from gpt2forge.fetch.transfer import Advance, Transfer, hold

VARIABLE = "GPT2FORGE_OPENAI_URL"
STORAGE = "https://openaipublic.blob.core.windows.net/gpt-2/models"
BASE = re.compile(r"https?://[^\s@?#]+")
TIMEOUT = 30.0  # seconds without an answer
PIECE = 1 << 18  # bytes to read at once


def fetch_openai(address: OpenaiAddress, advance: Advance) -> Fetched:
    """Fetch the files that are not here yet. Raises UserError if a file cannot be had."""
    folder, base = name_openai_folder(address.model), f"{read_base()}/{address.model}"
    with hold(DOWNLOADS / "locks" / f"openai-{address.model}"):
        missing = [name for name in OPENAI_FILES if not (folder / name).is_file()]
        sizes = {name: find_size(f"{base}/{name}") for name in missing}
        total = sum(sizes[name] - measure(name_part(folder / name)) for name in missing)
        check_room(folder, total, str(address))
        transfer = Transfer(advance)
        transfer.begin(total)
        for name in sorted(missing, key=lambda name: -sizes[name]):  # a large file first tells the rate
            url = f"{base}/{name}"
            download(RemoteFile(url, partial(open_file, url), sizes[name]), folder / name, transfer.count)
    return Fetched(str(address), folder, fetched=transfer.received)


def read_base() -> str:
    """Return the address of the folder of models. Raises UserError if the variable holds none."""
    base = os.environ.get(VARIABLE) or STORAGE
    if not BASE.fullmatch(base):
        raise UserError(f"{VARIABLE}: is not an address as in `{STORAGE}`")
    return base.rstrip("/")


def find_size(url: str) -> int:
    """Ask the server for the size of a file in bytes."""

    def ask() -> int:
        with open_file(url, 0, method="HEAD") as reply:
            if reply.total is None:
                raise UserError(f"{url}: the server does not say how long it is; check {VARIABLE}")
            return reply.total

    return retry(ask)


@contextmanager
def open_file(url: str, offset: int, method: str = "GET") -> Iterator[Reply]:
    """Ask the server for a file from an offset on."""
    headers = {"User-Agent": "gpt2forge", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            start, total = parse_extent(response.status, response.headers)
            yield Reply(start, total, iter(partial(response.read1, PIECE), b""))  # as they arrive: a cut loses none
    except urllib.error.HTTPError as error:
        raise explain_status(url, error.code, dict(error.headers)) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise Unreachable(
            f"{url}: cannot be reached ({reason})", f"check the network or {VARIABLE}; {AGAIN}"
        ) from error


def explain_status(url: str, status: int, headers: Mapping[str, str]) -> UserError:
    """Return the error for a status of HTTP."""
    problem = f"{url}: the server answers {status}"
    if status in PASSING:
        return Unreachable(problem, f"try again later; {AGAIN}", wait=parse_wait(headers))
    return UserError(f"{problem}; check {VARIABLE}, or put OpenAI's files in a folder and name that")
