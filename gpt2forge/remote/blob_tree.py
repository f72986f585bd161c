"""Blob trees: the files of a folder as the blobs that a level keeps. Their form as JSON may have been sent by others.

{manifest: {path: {sha256, size}}, parts: {sha256 of a file: [{sha256, size}, ...]}}

1. The manifest is the one that was asked for. Its paths stay inside their folder, none is below another, and a file
   system can hold them.
2. The parts of a file are as long as the file together. Parts are named only for files that are split.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gpt2forge.remote.blob import Blob, Content, locate, split
from gpt2forge.store.manifest import File, Manifest, parse_manifest
from gpt2forge.store.stat_cache import DIGEST

LONGEST_NAME, LONGEST_PATH = 249, 1000  # bytes; a file that is only begun has six more


@dataclass(frozen=True)
class BlobTree:
    """The manifest of a folder, and the parts of its large files in order, by the digest of the file."""

    manifest: Manifest
    parts: Mapping[str, Sequence[Blob]] = field(default_factory=dict)

    def list_blobs(self, file: File) -> Sequence[Blob]:
        """Return the blobs of a file in order."""
        return self.parts.get(file.digest) or (Blob(file.digest, file.size),)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The blobs of all files, each once."""
        return tuple(dict.fromkeys(blob for file in self.manifest.files.values() for blob in self.list_blobs(file)))

    def list_contents(self, find: Callable[[str], Path]) -> list[Content]:
        """List where the blobs lie, each once; `find` returns where the file of a name is."""
        found = {
            content.blob: content
            for name, file in self.manifest.files.items()
            for content in locate(find(name), self.list_blobs(file))
        }
        return list(found.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "manifest": self.manifest.to_json(),
            "parts": {digest: [write_blob(blob) for blob in blobs] for digest, blobs in self.parts.items()},
        }


def make_blob_tree(manifest: Manifest, find: Callable[[str], Path]) -> BlobTree:
    """Return the blob tree of files, which `find` finds by name. One too large for a blob is read to split it."""
    blobs = {file.digest: split(find(name), file) for name, file in manifest.files.items()}
    return BlobTree(manifest, {digest: parts for digest, parts in blobs.items() if len(parts) > 1})


def parse_blob_tree(value: Mapping[str, Any], digest: str) -> BlobTree:
    """Check the tree of a folder with this digest by the rules above.

    Raises ValueError if it breaks one; KeyError, TypeError, AttributeError, RecursionError or UnicodeEncodeError if it
    is none.
    """
    manifest = check_manifest(value["manifest"], digest)
    return BlobTree(manifest, check_parts(value["parts"], manifest))


def check_manifest(value: Any, digest: str) -> Manifest:
    """Return the manifest that a JSON value holds (rule 1)."""
    manifest = parse_manifest(value)
    if manifest.digest != digest:
        raise ValueError("its manifest is another one")
    for name, file in manifest.files.items():
        path, encoded = PurePosixPath(name), name.encode()
        if len(encoded) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in path.parts):
            raise ValueError(f"the path {name!r} is too long")
        if any(str(parent) in manifest.files for parent in path.parents):
            raise ValueError(f"the path {name!r} is below a file")
        if not DIGEST.fullmatch(file.digest):
            raise ValueError(f"the digest of {name!r} is none")
    return manifest


def check_parts(value: Any, manifest: Manifest) -> dict[str, tuple[Blob, ...]]:
    """Return the parts that a JSON value holds (rule 2)."""
    parts = {digest: tuple(map(parse_blob, blobs)) for digest, blobs in value.items()}
    sizes = {file.digest: file.size for file in manifest.files.values()}
    for digest, blobs in parts.items():
        if len(blobs) < 2 or sum(blob.size for blob in blobs) != sizes.get(digest) or not all(b.size for b in blobs):
            raise ValueError(f"the parts of {digest!r} are not the whole file")
    return parts


def write_blob(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.digest, "size": blob.size}


def parse_blob(value: Any) -> Blob:
    digest, size = value["sha256"], value["size"]
    if not (isinstance(digest, str) and DIGEST.fullmatch(digest) and type(size) is int and size >= 0):
        raise ValueError("a part is not a digest and a size")
    return Blob(digest, size)
