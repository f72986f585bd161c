"""Entries: what a level has under the key of a step. Whatever came from a level is checked here before it is used.

An entry is an ActionResult (action_result.py) with a signed envelope (envelope.py) whose payload is JSON:

{record: {sha256, record}, manifest and parts as in blob_tree.py}

1. A trusted key has signed it.
2. The record is whole, is of the step that was asked for, and its key is the digest of its pre-image.
3. The blob tree is that of the artifact which the record names, by the rules of blob_tree.py.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2forge.digest import canonical_json, digest_value
from gpt2forge.remote.action_result import read_envelope, write_action_result
from gpt2forge.remote.blob_tree import BlobTree, parse_blob_tree
from gpt2forge.remote.envelope import seal, unseal
from gpt2forge.remote.signing import Signer, Verify
from gpt2forge.store.records import Record, parse_record


@dataclass(frozen=True)
class Entry:
    """A record, and the files of its artifact. `data` are the bytes that a level keeps, with the signature."""

    record: Record
    tree: BlobTree
    data: bytes = b""


def make_entry(record: Record, tree: BlobTree, signer: Signer) -> Entry:
    """Make the signed entry of a record."""
    payload = canonical_json(describe_artifact(record, tree))
    return Entry(record, tree, write_action_result(seal(payload, signer), tree.blobs))


def describe_artifact(record: Record, tree: BlobTree) -> dict[str, Any]:
    """Return a record and the files of its artifact as JSON."""
    return {"record": json.loads(record.to_bytes()), **tree.to_json()}


def parse_entry(data: bytes, *, stage: str, key: str, trusted: Mapping[str, Verify]) -> Entry:
    """Check an entry by the rules above. Raises ValueError if it breaks one."""
    payload = unseal(read_envelope(data), trusted)
    return Entry(*parse_artifact(payload, stage=stage, key=key), data)


def parse_artifact(text: bytes, *, stage: str, key: str) -> tuple[Record, BlobTree]:
    """Check what `describe_artifact` described, by rules 2 and 3. Raises ValueError if it breaks one."""
    try:
        value = json.loads(text)
        record = check_record(value["record"], stage, key)
        return record, parse_blob_tree(value, record.digest)
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
