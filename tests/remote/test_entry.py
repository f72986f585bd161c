"""Entries of levels are checked before they are used: signature, record, manifest, parts."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.checkpoint.tf1.protobuf import read_fields
from gpt2forge.digest import canonical_json, digest_bytes, digest_value
from gpt2forge.remote.action_result import read_envelope, write_action_result
from gpt2forge.remote.blob import Blob
from gpt2forge.remote.entry import Entry, make_entry, parse_entry
from gpt2forge.remote.envelope import seal, unseal
from gpt2forge.remote.signing import load_signer, load_trusted, make_secret
from gpt2forge.store.records import Record
from tests.remote.conftest import Built
from tests.remote.team import PUBLIC, SECRET, Machine

SIGNER, TRUSTED = load_signer(SECRET), load_trusted([PUBLIC])
DIGEST = digest_bytes(b"")
PRE_IMAGE = {"stage": "pack", "inputs": {}}
KEY = digest_value(PRE_IMAGE)


def make_payload(**changes: Any) -> dict[str, Any]:
    """Return the payload of an entry, with changes of the record, the manifest and the parts."""
    manifest = changes.pop("manifest", {"model.onnx": {"sha256": DIGEST, "size": 0}})
    parts = changes.pop("parts", {})
    values = {
        "key": KEY,
        "stage": "pack",
        "pre_image": PRE_IMAGE,
        "digest": digest_value(manifest),
        "metrics": {},
        "seconds": 1.0,
        "peak_memory_bytes": 1,
        "created": 1.0,
        **changes,
    }
    record = json.loads(Record(**values).to_bytes())
    return {"record": record, "manifest": manifest, "parts": parts}


def parse(payload: Any, signer: Any = SIGNER) -> Entry:
    data = write_action_result(seal(json.dumps(payload).encode(), signer), [])
    return parse_entry(data, stage="pack", key=KEY, trusted=TRUSTED)


def test_a_signed_entry_is_read_as_it_was_made() -> None:
    entry = parse(make_payload())
    made = make_entry(entry.record, entry.tree, SIGNER)
    again = parse_entry(made.data, stage="pack", key=KEY, trusted=TRUSTED)
    assert (again.record, again.tree, again.tree.blobs) == (entry.record, entry.tree, (Blob(DIGEST, 0),))


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "../up", "a/../../up", "a/./b", "./a", ".", "..", "a//b", "a/", "", "a\\b", "a\0b"),
        *("x" * 256, "/".join("x" * 200 for _ in range(6)), "\ud800"),
    ],
)
def test_a_path_that_leaves_its_folder_or_fits_in_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        parse(make_payload(manifest={name: {"sha256": DIGEST, "size": 0}}))


def test_a_file_below_a_file_is_refused() -> None:
    file = {"sha256": DIGEST, "size": 0}
    with pytest.raises(ValueError, match="is below a file"):
        parse(make_payload(manifest={"a": file, "a/b/c": file}))


@pytest.mark.parametrize(
    "file",
    [
        {"sha256": DIGEST, "size": -1},
        {"sha256": DIGEST, "size": 1.5},
        {"sha256": DIGEST, "size": "1"},
        {"sha256": "../../" + "x" * 58, "size": 1},
        {"sha256": DIGEST.upper(), "size": 1},
        {"sha256": None, "size": 1},
        {"size": 1},
        [],
        None,
    ],
)
def test_a_file_without_a_digest_and_a_size_is_refused(file: Any) -> None:
    with pytest.raises(ValueError):
        parse(make_payload(manifest={"a": file}))


PART = {"sha256": DIGEST, "size": 5}


@pytest.mark.parametrize(
    "parts",
    [
        {DIGEST: [PART]},
        {DIGEST: [PART, {**PART, "size": 4}]},
        {DIGEST: [PART, {**PART, "size": 0}, PART]},
        {DIGEST: [PART, PART, {**PART, "size": -1}]},
        {DIGEST: [PART, {"sha256": "no", "size": 5}]},
        {DIGEST: []},
        {DIGEST: 5},
        {"0" * 64: [PART, PART]},
        [],
        None,
    ],
)
def test_parts_that_are_not_the_whole_file_are_refused(parts: Any) -> None:
    with pytest.raises(ValueError):
        parse(make_payload(manifest={"a": {"sha256": DIGEST, "size": 10}}, parts=parts))


def test_parts_of_a_large_file_are_its_blobs() -> None:
    parts = {DIGEST: [PART, {**PART, "sha256": "1" * 64}]}
    entry = parse(make_payload(manifest={"a": {"sha256": DIGEST, "size": 10}}, parts=parts))
    assert entry.tree.blobs == (Blob(DIGEST, 5), Blob("1" * 64, 5))


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "quantize"},
        {"key": "0" * 64},
        {"digest": "0" * 64},
        {"digest": "../../../etc"},
        {"pre_image": {"stage": "pack", "inputs": {"text": DIGEST}}},
        {"pre_image": {"stage": "other"}},
        {"pre_image": []},
        {"metrics": []},
        {"created": 1e305},
    ],
)
def test_a_record_of_another_step_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        parse(make_payload(**changes))


@pytest.mark.parametrize(
    "payload", [None, [], {}, 5, "text", {"record": {}}, {"record": None, "manifest": {}, "parts": {}}]
)
def test_a_payload_of_another_form_is_refused(payload: Any) -> None:
    with pytest.raises(ValueError):
        parse(payload)


def test_a_payload_of_endless_depth_is_refused() -> None:
    data = seal(b"[" * 100_000, SIGNER)
    with pytest.raises(ValueError):
        parse_entry(write_action_result(data, []), stage="pack", key=KEY, trusted=TRUSTED)


def test_a_foreign_key_is_not_trusted() -> None:
    with pytest.raises(ValueError, match="no trusted key has signed it"):
        parse(make_payload(), load_signer(make_secret()))


def change_envelope(change: Callable[[dict[str, Any]], Any]) -> bytes:
    envelope = json.loads(seal(canonical_json(make_payload()), SIGNER))
    change(envelope)
    return json.dumps(envelope).encode()


def flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda envelope: envelope.update(payload=flip(envelope["payload"])),
        lambda envelope: envelope.update(payloadType="application/vnd.in-toto+json"),
        lambda envelope: envelope.update(signatures=[]),
        lambda envelope: envelope.update(signatures={}),
        lambda envelope: envelope.update(signatures=None),
        lambda envelope: envelope["signatures"][0].update(sig=flip(envelope["signatures"][0]["sig"])),
        lambda envelope: envelope["signatures"][0].update(sig=""),
        lambda envelope: envelope["signatures"][0].update(sig=5),
        lambda envelope: envelope["signatures"][0].update(keyid=load_signer(make_secret()).public),
        lambda envelope: envelope["signatures"][0].update(keyid=[]),
        lambda envelope: envelope.pop("payload"),
        lambda envelope: envelope.update(payload="é"),
        lambda envelope: envelope.update(payload=None),
    ],
)
def test_an_envelope_that_was_changed_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(ValueError):
        unseal(change_envelope(change), TRUSTED)


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00" * 100, b"\x2a\xff\xff\xff\xff\x0f", b"\x2a\x01x\x2a\x01x"])
def test_bytes_that_are_no_entry_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_entry(data, stage="pack", key=KEY, trusted=TRUSTED)


def test_every_cut_and_flip_of_an_entry_is_refused_or_changes_nothing(built_toy: Built) -> None:
    pack = built_toy.find("pack")
    data = (built_toy.level / "ac" / str(pack.key)).read_bytes()

    def read(changed: bytes) -> Entry | None:
        try:
            return parse_entry(changed, stage="pack", key=str(pack.key), trusted=TRUSTED)
        except ValueError:
            return None

    whole = read(data)
    assert whole
    step = max(1, len(data) // 200)
    changed = [data[:end] for end in range(0, len(data), step)]
    changed += [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(0, len(data), step)]
    for each in map(read, changed):
        assert each is None or (each.record, each.tree) == (whole.record, whole.tree)


def test_an_entry_is_an_action_result_that_names_its_blobs() -> None:
    data = write_action_result(b"envelope", [Blob(DIGEST, 300)])
    fields = list(read_fields(data))
    assert [number for number, _ in fields] == [2, 5, 9]
    assert read_envelope(data) == b"envelope"
    file = dict(read_fields(bytes(fields[0][1])))  # type: ignore[arg-type]
    assert file[1] == DIGEST.encode()
    assert dict(read_fields(file[2])) == {1: DIGEST.encode(), 2: 300}  # type: ignore[arg-type]


@pytest.mark.parametrize("trusted", [[load_signer(make_secret()).public], []])
def test_what_no_trusted_key_signed_is_not_pulled(
    built_toy: Built, level: Path, tmp_path: Path, trusted: list[str]
) -> None:
    machine = Machine(tmp_path / "store", [str(level)], secret=None, trusted=trusted)
    store = machine.open()
    assert [store.records.find(each.stage, str(each.key)) for each in built_toy.outcomes] == [None] * 3
    assert not (machine.root / "records").exists()


def test_an_entry_under_another_key_is_not_pulled(built_toy: Built, machine: Machine, level: Path) -> None:
    pack, repeat = built_toy.find("pack"), built_toy.find("repeat")
    (level / "ac" / str(pack.key)).write_bytes((level / "ac" / str(repeat.key)).read_bytes())
    assert machine.open().records.find("pack", str(pack.key)) is None


def test_a_key_that_nobody_trusts_pushes_nothing(built_toy: Built, tmp_path: Path) -> None:
    level, other = tmp_path / "level", load_signer(make_secret()).public
    level.mkdir()
    machine = Machine(built_toy.store, [str(level)], trusted=[other])
    store = machine.open()
    store.push([("pack", str(built_toy.find("pack").key))])
    assert list(level.iterdir()) == []
    assert ["is not in `store.trusted`" in warning for warning in machine.warnings] == [True]


def test_what_a_foreigner_wrote_is_replaced(built_toy: Built, level: Path, tmp_path: Path) -> None:
    """A pull request may be able to write to a level; what main reads is what main's key has signed."""
    secret = make_secret()
    foreign = load_signer(secret).public
    key = str(built_toy.find("pack").key)
    before = (level / "ac" / key).read_bytes()
    entry = parse_entry(before, stage="pack", key=key, trusted=TRUSTED)
    foreign_entry = make_entry(entry.record, entry.tree, load_signer(secret))
    (level / "ac" / key).write_bytes(foreign_entry.data)
    assert Machine(tmp_path / "main", [str(level)], secret=None).open().records.find("pack", key) is None
    assert Machine(tmp_path / "fork", [str(level)], secret=None, trusted=[foreign]).open().records.find("pack", key)
    machine = Machine(tmp_path / "again", [str(level)])
    machine.build(built_toy.job)
    assert (level / "ac" / key).read_bytes() == before or machine.open().remote.find("pack", key)
