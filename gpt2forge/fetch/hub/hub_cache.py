"""The cache of huggingface_hub, in which other programs find what was fetched.

https://huggingface.co/docs/huggingface_hub/guides/manage-cache

models--OWNER--NAME/blobs/DIGEST             the content of each file
models--OWNER--NAME/snapshots/COMMIT/FILE    a link to its content
models--OWNER--NAME/refs/REVISION            the commit that a branch or a tag was last
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants

from gpt2forge.fetch.address import COMMIT, HubAddress
from gpt2forge.store.atomic import replace_text


@dataclass(frozen=True)
class CachedRepo:
    """The folder of a repository in the cache, which need not exist."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder.parent / ".locks" / self.folder.name / "gpt2forge.lock"

    def snapshot(self, commit: str) -> Path:
        return self.folder / "snapshots" / commit

    def blob(self, name: str) -> Path:
        return self.folder / "blobs" / name

    def read_commit(self, address: HubAddress) -> str | None:
        """Return the commit that a revision was last; None if the cache does not know it."""
        if address.is_fixed:
            return address.revision
        with suppress(OSError):
            text = self.name_ref(address).read_bytes()[:100].decode("ascii", "replace").strip()
            return text if COMMIT.fullmatch(text) else None
        return None

    def write_commit(self, address: HubAddress, commit: str) -> None:
        """Note the commit of a revision for other programs, unless the cache cannot be written."""
        if not address.is_fixed and self.read_commit(address) != commit:
            with suppress(OSError):
                replace_text(self.name_ref(address), commit)

    def name_ref(self, address: HubAddress) -> Path:
        return self.folder / "refs" / (address.revision or "main")

    def link(self, blob: Path, place: Path) -> None:
        """Put the content of a blob into a snapshot: as a link, or moved there where the disk has no links."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            place.symlink_to(os.path.relpath(blob, place.parent))
        except OSError:
            blob.replace(place)


def open_cache(address: HubAddress) -> CachedRepo:
    """Return the folder of a repository in the cache that HF_HOME and HF_HUB_CACHE name."""
    cache = Path(constants.HF_HUB_CACHE).expanduser().absolute()
    return CachedRepo(cache / f"models--{address.repo.replace('/', '--')}")
