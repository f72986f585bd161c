"""Entries in the form that Bazel's remote caches accept under /ac/: an ActionResult, as a protocol buffer message.

https://github.com/bazelbuild/remote-apis/blob/main/build/bazel/remote/execution/v2/remote_execution.proto

bazel-remote refuses any other body there, answers 404 once a blob that `output_files` names was removed, and keeps
the blobs of entries that are read. Readers here take nothing but the envelope, in `stdout_raw`.
"""

from collections.abc import Iterable

from gpt2forge.checkpoint.tf1.protobuf import read_fields
from gpt2forge.remote.blob import Blob

OUTPUT_FILES, STDOUT_RAW, EXECUTION_METADATA = 2, 5, 9  # of ActionResult
PATH, DIGEST = 1, 2  # of OutputFile
HASH, SIZE = 1, 2  # of Digest
WORKER = 1  # of ExecutedActionMetadata


def write_action_result(envelope: bytes, blobs: Iterable[Blob]) -> bytes:
    """Return an ActionResult with an envelope and the blobs that its files consist of."""
    files = b"".join(write_bytes(OUTPUT_FILES, write_output_file(blob)) for blob in blobs)
    worker = write_bytes(EXECUTION_METADATA, write_bytes(WORKER, b"gpt2forge"))  # or bazel-remote adds one
    return files + write_bytes(STDOUT_RAW, envelope) + worker


def write_output_file(blob: Blob) -> bytes:
    name = blob.digest.encode()
    digest = write_bytes(HASH, name) + write_varint(SIZE << 3) + write_varint(blob.size)
    return write_bytes(PATH, name) + write_bytes(DIGEST, digest)


def write_bytes(field: int, data: bytes) -> bytes:
    """Return a field of bytes or text, or a message."""
    return write_varint(field << 3 | 2) + write_varint(len(data)) + data


def write_varint(value: int) -> bytes:
    """Return an unsigned number, seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def read_envelope(data: bytes) -> bytes:
    """Return the envelope in an ActionResult. Raises ValueError if there is none."""
    found = [value for field, value in read_fields(data) if field == STDOUT_RAW and isinstance(value, bytes)]
    if len(found) != 1:
        raise ValueError("is no entry of gpt2forge")
    return found[0]
