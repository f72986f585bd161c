"""Reads the .index file of a TF1 checkpoint, which TensorFlow calls a tensor bundle: one entry for each tensor.

tensorflow/core/protobuf/tensor_bundle.proto defines the messages in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.checkpoint.tf1.protobuf import as_signed, read_fields
from gpt2forge.checkpoint.untrusted_text import read_small
from gpt2forge.errors import UserError

LARGEST_INDEX = 1 << 22  # bytes; 1558M with an optimizer's slots takes a fiftieth of it
LARGEST_RANK = 254  # TensorFlow's
LARGEST_LENGTH = 1 << 63
VERSION = 1
HEADER_KEY = b""
DTYPES: Mapping[int, str] = {
    1: "F32", 2: "F64", 3: "I32", 4: "U8", 5: "I16", 6: "I8", 7: "string", 9: "I64", 10: "BOOL", 14: "BF16", 19: "F16",
}  # fmt: skip


Slice = tuple[tuple[int, int], ...]
"""A TensorSliceProto: (start, length) on each axis; the length is WHOLE for a whole axis."""

WHOLE = -1


@dataclass(frozen=True)
class BundleEntry:
    """A BundleEntryProto: which bytes of which shard hold a tensor.

    A tensor that was written in partitions has no bytes of its own. `slices` are its partitions; each has an entry
    under the key that `encode_slice` makes.
    """

    dtype: str = "0"
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: tuple[Slice, ...] = ()


def read_bundle(path: Path, shards: int | None = None) -> dict[str, BundleEntry]:
    """Read every tensor's entry, by name, from a .index file; `shards` is the number of .data files, if it is checked.

    Raises UserError if the file is damaged, or not in the format that TensorFlow has written since 2016.
    """
    try:
        entries = read_table(read_small(path, LARGEST_INDEX))
        key, header = next(entries, (b"", b""))
        if key != HEADER_KEY:
            raise ValueError("its first entry is not the header")
        check_header(header, shards)
        return dict(read_entries(entries))
    except ValueError as error:
        raise UserError(f"{path}: not a checkpoint's index, or damaged: {error}; copy it there again") from error


def read_entries(table: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[str, BundleEntry]]:
    for key, value in table:
        yield decode_key(key), parse_entry(value)


def decode_key(key: bytes) -> str:
    """Return a key as text. Partitions of a tensor have binary keys, which begin with a zero."""
    return key.decode("utf-8", "backslashreplace")


def check_header(message: bytes, shards: int | None) -> None:
    """Raise ValueError unless a BundleHeaderProto matches the number of shards and has a supported version."""
    fields = dict(read_fields(message))
    if shards is not None and fields.get(1, 0) != shards:
        raise ValueError(f"it belongs to {fields.get(1, 0)!r} .data files, not {shards}")
    if fields.get(2, 0) != 0:
        raise ValueError("it was written on a big-endian machine")
    version = dict(read_fields(as_bytes(fields.get(3, b""))))
    if as_number(version.get(2, 0)) > VERSION:
        raise ValueError(f"it has version {version.get(1, 0)!r}; only {VERSION} can be read")


def parse_entry(message: bytes) -> BundleEntry:
    """Parse a BundleEntryProto. Raises ValueError if it is malformed."""
    numbers = dict.fromkeys(range(1, 7), 0)
    shape: tuple[int, ...] = ()
    slices: list[Slice] = []
    for field, value in read_fields(message):
        if field == 2:
            shape = parse_shape(as_bytes(value))
        elif field == 7:
            slices.append(parse_slice(as_bytes(value)))
        elif field in numbers:
            numbers[field] = as_number(value)
    dtype = DTYPES.get(numbers[1], f"type {numbers[1]}")
    return BundleEntry(
        dtype,
        shape,
        shard=numbers[3],
        offset=as_signed(numbers[4]),
        size=as_signed(numbers[5]),
        crc=numbers[6],
        slices=tuple(slices),
    )


def parse_shape(message: bytes) -> tuple[int, ...]:
    """Parse a TensorShapeProto. Raises ValueError unless every length is known."""
    shape = []
    for field, value in read_fields(message):
        if field == 2:
            shape.append(as_number(dict(read_fields(as_bytes(value))).get(1, 0)))
        elif field == 3 and value:
            raise ValueError("a shape is unknown")
        if len(shape) > LARGEST_RANK or (shape and shape[-1] >= LARGEST_LENGTH):
            raise ValueError("a shape has too many or negative lengths")
    return tuple(shape)


def parse_slice(message: bytes) -> Slice:
    """Parse a TensorSliceProto. Raises ValueError if it is malformed."""
    extents = []
    for field, value in read_fields(message):
        if field == 1:
            extent = dict(read_fields(as_bytes(value)))
            start, length = (
                as_signed(as_number(extent.get(number, default))) for number, default in ((1, 0), (2, WHOLE))
            )
            extents.append((start, length))
        if len(extents) > LARGEST_RANK:
            raise ValueError("a slice has too many axes")
    return tuple(extents)


def as_number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a number's field holds something else")
    return value


def as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a message's field holds a number")
    return value
