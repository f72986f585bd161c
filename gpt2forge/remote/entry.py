"""Entries: what a level has under the key of a step. Whatever came from a level is checked here before it is used.

An entry is an ActionResult (action_result.py) with a signed envelope (envelope.py) whose payload is JSON:

{record: {sha256, record}, manifest: {path: {sha256, size}}, parts: {sha256 of a file: [{sha256, size}, ...]}}

1. A trusted key has signed it.
2. The record is whole, is of the step that was asked for, and its key is the digest of its pre-image.
3. The manifest is the one that the record names. Its paths stay inside their folder, none is below another, and a file
   system can hold them.
4. The parts of a file are as long as the file together. Parts are named only for files that are split.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gpt2forge.digest import canonical_json, digest_value
from gpt2forge.remote.action_result import read_envelope, write_action_result
from gpt2forge.remote.blob import Blob
from gpt2forge.remote.envelope import seal, unseal
from gpt2forge.remote.signing import Signer, Verify
from gpt2forge.store.manifest import File, Manifest, parse_manifest
from gpt2forge.store.records import Record, parse_record
from gpt2forge.store.stat_cache import DIGEST

LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes


@dataclass(frozen=True)
class Entry:
    """A record, the manifest of its artifact, and the parts of its large files, by the digest of the file.

    `data` are the bytes that a level keeps, with the signature.
    """

    record: Record
    manifest: Manifest
    parts: Mapping[str, Sequence[Blob]]
    data: bytes = b""

    def list_blobs(self, file: File) -> Sequence[Blob]:
        """Return the blobs of a file in order."""
        return self.parts.get(file.digest) or (Blob(file.digest, file.size),)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The blobs of all files, each once."""
        return tuple(dict.fromkeys(blob for file in self.manifest.files.values() for blob in self.list_blobs(file)))


def make_entry(record: Record, manifest: Manifest, parts: Mapping[str, Sequence[Blob]], signer: Signer) -> Entry:
    """Make the signed entry of a record."""
    entry = Entry(record, manifest, parts)
    payload = {
        "record": json.loads(record.to_bytes()),
        "manifest": manifest.to_json(),
        "parts": {digest: [write_blob(blob) for blob in blobs] for digest, blobs in parts.items()},
    }
    data = write_action_result(seal(canonical_json(payload), signer), entry.blobs)
    return Entry(record, manifest, parts, data)


def parse_entry(data: bytes, *, stage: str, key: str, trusted: Mapping[str, Verify]) -> Entry:
    """Check an entry by the rules above. Raises ValueError if it breaks one."""
    payload = unseal(read_envelope(data), trusted)
    try:
        value = json.loads(payload)
        record = check_record(value["record"], stage, key)
        manifest = check_manifest(value["manifest"], record.digest)
        return Entry(record, manifest, check_parts(value["parts"], manifest), data)
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError("is damaged") from error


def check_record(value: Any, stage: str, key: str) -> Record:
    """Return the record that a JSON value holds (rule 2)."""
    record = parse_record(json.dumps(value).encode())
    if record is None or (record.stage, record.key) != (stage, key) or record.pre_image.get("stage") != stage:
        raise ValueError("is of another step, or damaged")
    if digest_value(record.pre_image) != key:
        raise ValueError("its key is not that of its pre-image")
    return record


def check_manifest(value: Any, digest: str) -> Manifest:
    """Return the manifest that a JSON value holds (rule 3)."""
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
    """Return the parts that a JSON value holds (rule 4)."""
    parts = {digest: tuple(map(parse_blob, blobs)) for digest, blobs in value.items()}
    sizes = {file.digest: file.size for file in manifest.files.values()}
    for digest, blobs in parts.items():
        if len(blobs) < 2 or sum(blob.size for blob in blobs) != sizes.get(digest):
            raise ValueError(f"the parts of {digest!r} are not the whole file")
    return parts


def write_blob(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.digest, "size": blob.size}


def parse_blob(value: Any) -> Blob:
    digest, size = value["sha256"], value["size"]
    if not (isinstance(digest, str) and DIGEST.fullmatch(digest) and type(size) is int and size > 0):
        raise ValueError("a part is not a digest and a size")
    return Blob(digest, size)
