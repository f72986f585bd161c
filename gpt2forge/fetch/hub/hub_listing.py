"""Asks the Hugging Face Hub which commit a revision is, and which files that commit has.

https://huggingface.co/docs/hub/api: GET /api/models/OWNER/NAME/revision/REVISION?blobs=true
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.hf_api import RepoSibling

from gpt2forge import __version__
from gpt2forge.checkpoint.huggingface.chat_templates import is_template
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import COMMIT, HubAddress
from gpt2forge.fetch.hub.hub_errors import explained, show_endpoint
from gpt2forge.fetch.retry import retry

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ListedFile:
    """A file of a commit: its size in bytes, its sha256 if Git LFS keeps it, and the digest that git gives it."""

    size: int
    sha256: str | None
    git_id: str

    @property
    def blob(self) -> str:
        """The name of its content in the cache."""
        return self.sha256 or self.git_id


@dataclass(frozen=True)
class Listing:
    """The commit of a revision, and the files at its root, and those of chat templates, by name."""

    commit: str
    files: Mapping[str, ListedFile]


def list_files(address: HubAddress, pauses: Sequence[float]) -> Listing:
    """Ask the Hub for the commit and the files of an address. Raises UserError if it has none."""

    def ask() -> Listing:
        with explained(address), parsed(address):
            revision = address.revision or "main"
            info = HfApi(library_name="gpt2forge", library_version=__version__).model_info(
                address.repo, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
            )
            if not COMMIT.fullmatch(info.sha or ""):
                raise ValueError("no commit")
            files = [sibling for sibling in info.siblings or () if is_plain(sibling.rfilename)]
            return Listing(str(info.sha), {file.rfilename: parse_file(file, address) for file in files})

    return retry(ask, pauses=pauses)


@contextmanager
def parsed(address: HubAddress) -> Iterator[None]:
    """Raise UserError for an answer that is no JSON, or no description of a repository."""
    try:
        yield
    except HFValidationError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"`{address}`: {show_endpoint()} does not answer as the Hugging Face Hub; check HF_ENDPOINT and the proxy"
        ) from error


def is_plain(name: str) -> bool:
    """Return whether a name is of a file at the root or of a chat template, and one that can be printed."""
    is_inside = not set("/\\").intersection(name.rpartition("/")[2] if is_template(name) else name)
    return is_inside and name.isprintable() and name not in ("", ".", "..")


def parse_file(file: RepoSibling, address: HubAddress) -> ListedFile:
    """Return a listed file. Raises UserError if the server does not tell its size and its digest."""
    sha256 = file.lfs.sha256 if file.lfs else None
    size = file.lfs.size if file.lfs else file.size
    is_checked = COMMIT.fullmatch(file.blob_id or "") and (sha256 is None or SHA256.fullmatch(sha256))
    if not is_checked or type(size) is not int or size < 0:
        raise UserError(
            f"`{address}`: the server does not list the size and the digest of each file, as the Hugging Face Hub "
            "does; download the repository, and name the folder"
        )
    return ListedFile(size, sha256, str(file.blob_id))
