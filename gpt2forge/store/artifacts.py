"""Artifacts: from a digest to the folder of files that it names."""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from gpt2forge.digest import Written, canonical_json, digest_bytes, digest_file
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import discard, is_folder, move, put_aside, remove_tree, sync, write_whole
from gpt2forge.store.locks import lock_key
from gpt2forge.store.manifest import Manifest, list_files, make_manifest, parse_manifest
from gpt2forge.store.rights import make_folder, protect_file, share_folder
from gpt2forge.store.stat_cache import StatCache

NONE_WRITTEN: Mapping[str, Written] = MappingProxyType({})


class Artifacts(Protocol):
    """The artifacts of a store. Questions change nothing.

    Only `commit`, `evict`, `note_absent` and `clear_damaged` write.
    """

    def folder(self, digest: str) -> Path:
        """Return the folder of an artifact, whether it exists or not."""

    def is_whole(self, digest: str) -> bool:
        """Return whether an artifact holds just what its manifest says. A file is read only if its stat is new."""

    def is_sound(self, digest: str) -> bool:
        """Return the same after reading every byte, which finds rot under an unchanged stat."""

    def is_evicted(self, digest: str) -> bool:
        """Return whether an artifact is known but was removed to free space."""

    def read_manifest(self, digest: str) -> Manifest:
        """Read a manifest. Raises ValueError unless it is the one that this digest names."""

    def measure(self, digest: str) -> int:
        """Return the bytes of an artifact, as its manifest says; 0 without a readable manifest."""

    def commit(self, folder: Path, written: Mapping[str, Written] = NONE_WRITTEN) -> str:
        """Take in a finished folder and return its digest. The caller holds the lock of the key it was made under.

        `written` holds the files that were hashed while they were written, by name: they are not read again if the
        stat cache can remember their digests.
        """

    def evict(self, digest: str) -> None:
        """Remove an artifact and remember that it was evicted."""

    def note_absent(self, digest: str) -> None:
        """Remember that an artifact is known but not here, as after `evict`, unless something is in its place."""

    def clear_damaged(self, digest: str, every_byte: bool = False) -> None:
        """Put an artifact aside if it is damaged, so that it can be made again; `every_byte` as in `is_sound`."""


@dataclass(frozen=True)
class LocalArtifacts:
    """Artifacts in the folder of a store.

    artifacts/<digest>/          the files, read-only; one folder for all keys that lead to it. It stays writable, so
                                 that its owner can remove it; a file that is added shows as damage, see `matches`
    artifacts/<digest>.json      the manifest
    artifacts/<digest>.evicted   marks an artifact that was removed to free space
    damaged/                     artifacts that no longer held what their manifests say
    """

    root: Path
    stat_cache: StatCache

    def folder(self, digest: str) -> Path:
        return self.root / "artifacts" / digest

    def is_whole(self, digest: str) -> bool:
        return self.matches(digest, self.stat_cache.digest)

    def is_sound(self, digest: str) -> bool:
        return self.matches(digest, digest_file)

    def matches(self, digest: str, digest_path: Callable[[Path], str]) -> bool:
        """Return whether an artifact holds the files of its manifest and no others; `digest_path` reads each."""
        folder = self.folder(digest)
        if folder.is_symlink():  # its target is not protected
            return False
        try:
            names, wanted = list_files(folder), self.read_manifest(digest)
            contents = wanted.files.items()
            return wanted.fits(folder, names) and all(
                digest_path(folder / name) == file.digest for name, file in contents
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def is_evicted(self, digest: str) -> bool:
        folder = self.folder(digest)
        return name_evicted(folder).is_file() and not folder.exists()

    def read_manifest(self, digest: str) -> Manifest:
        data = read_whole(name_manifest(self.folder(digest)))
        manifest = parse_manifest(json.loads(data))
        if digest_bytes(data) != digest and manifest.digest != digest:
            raise ValueError(f"the manifest of {digest} is damaged")
        return manifest

    def measure(self, digest: str) -> int:
        try:
            return self.read_manifest(digest).size
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def commit(self, folder: Path, written: Mapping[str, Written] = NONE_WRITTEN) -> str:
        """Take in a finished folder: files to the disk, then the manifest, then one rename. See Artifacts."""
        names = list_files(folder)
        protect(folder, names)
        for name, file in written.items():
            self.stat_cache.vouch(folder / name, file)
        with ThreadPoolExecutor() as pool:  # the disk writes while the processor hashes
            synced = [pool.submit(sync, folder / name) for name in names]
            manifest = make_manifest(folder, names, self.stat_cache.digest)
            for future in synced:
                future.result()
        with lock_key(self.root, manifest.digest):
            if self.is_whole(manifest.digest):
                remove_tree(folder)
            else:
                self.free_place(manifest.digest)
                self.move_in(folder, manifest)
        return manifest.digest

    def move_in(self, folder: Path, manifest: Manifest) -> None:
        place = self.folder(manifest.digest)
        make_folder(place.parent, self.root)
        self.write_manifest(name_manifest(place), manifest)
        for path in list_folders(folder):
            sync(path)
        move(folder, place)
        sync(place.parent)
        name_evicted(place).unlink(missing_ok=True)

    def write_manifest(self, path: Path, manifest: Manifest) -> None:
        """Write a manifest; a folder that stands in its place is put aside."""
        if is_folder(path):
            put_aside(path, self.root / "damaged")
        write_whole(path, canonical_json(manifest.to_json()))

    def evict(self, digest: str) -> None:
        """Mark an artifact as evicted, then remove it. Without its manifest, what a crash leaves of it is damaged."""
        folder = self.folder(digest)
        write_whole(name_evicted(folder), b"")
        name_manifest(folder).unlink(missing_ok=True)
        discard(folder, self.root / "damaged")

    def note_absent(self, digest: str) -> None:
        folder = self.folder(digest)
        if not os.path.lexists(folder):
            make_folder(folder.parent, self.root)
            write_whole(name_evicted(folder), b"")

    def clear_damaged(self, digest: str, every_byte: bool = False) -> None:
        """Put a damaged artifact into damaged/. It is checked under its lock: another build may have made it again."""
        if os.path.lexists(self.folder(digest)):
            with lock_key(self.root, digest):
                if not (self.is_sound(digest) if every_byte else self.is_whole(digest)):
                    self.free_place(digest)

    def free_place(self, digest: str) -> None:
        """Put aside whatever stands in the place of an artifact. The caller holds the lock of the digest."""
        if os.path.lexists(self.folder(digest)):
            put_aside(self.folder(digest), self.root / "damaged")


def list_folders(folder: Path) -> list[Path]:
    """List a folder and all folders below it, each after the one that it is in."""
    return [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]


def protect(folder: Path, names: list[str]) -> None:
    """Make the files `names` of a finished folder read-only, and give its folders the rights of the store."""
    for path in list_folders(folder):
        share_folder(path)
    for name in names:
        protect_file(folder / name)


def name_manifest(folder: Path) -> Path:
    """Return the path of the manifest of an artifact's folder."""
    return folder.with_suffix(".json")


def name_evicted(folder: Path) -> Path:
    """Return the path of the mark that an artifact was evicted."""
    return folder.with_suffix(".evicted")
