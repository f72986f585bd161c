"""A level in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure; through obstore.

PREFIX/cas/<sha256>    blobs
PREFIX/ac/<key>        entries

Credentials and the endpoint come from the environment, as obstore reads it: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL,
GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME and so on, or from the machine's own identity in its cloud. An
endpoint without TLS needs AWS_ALLOW_HTTP=true.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from gpt2forge.errors import UserError
from gpt2forge.fetch.remote_file import Reply
from gpt2forge.remote.blob import LARGEST, Blob, Content
from gpt2forge.remote.level import LARGEST_ENTRY, BlobGone, Refused
from gpt2forge.remote.limits import ANSWER, PAUSES, STALL, Deadline, give_up, limit_transfer, within

CONNECT = 1.5  # seconds
AT_ONCE = 1 << 23  # bytes of a blob that is held in memory and sent in one request; a larger one goes in parts
PART, PARTS = 1 << 24, 4  # bytes of a part, and how many are sent at once
PIECE = 1 << 22  # bytes to read at once
LONGEST = 300  # characters of obstore's own messages, which repeat themselves


class ObjectLevel:
    """A level at an address such as `s3://bucket/prefix`."""

    def __init__(self, address: str) -> None:
        self.name = address
        seconds = timedelta(seconds=limit_transfer(LARGEST))
        with self.explained():
            self.bucket = from_url(
                address,
                client_options={
                    "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true"),
                    "connect_timeout": timedelta(seconds=CONNECT),
                    "read_timeout": timedelta(seconds=STALL),
                    "timeout": seconds,
                },
                retry_config={
                    "max_retries": len(PAUSES),
                    "retry_timeout": seconds,
                    "backoff": {
                        "init_backoff": timedelta(seconds=PAUSES[0]),
                        "max_backoff": timedelta(seconds=PAUSES[-1]),
                        "base": 2,
                    },
                },
            )

    def has(self, blob: Blob) -> bool:
        with self.explained():
            try:
                found = within(ANSWER, partial(obstore.head, self.bucket, self.place(blob)), self.name)
            except FileNotFoundError:
                return False
            return found["size"] == blob.size

    @contextmanager
    def open(self, blob: Blob, offset: int) -> Iterator[Reply]:
        with self.explained():
            try:
                get = partial(obstore.get, self.bucket, self.place(blob), options={"range": {"offset": offset}})
                found = within(STALL, get if offset else partial(obstore.get, self.bucket, self.place(blob)), self.name)
            except FileNotFoundError as error:
                raise BlobGone(f"{self.name}: has no {blob.digest} any more") from error
        yield Reply(found.range[0], found.meta["size"], self.read_pieces(found))

    def read_pieces(self, found: "obstore.GetResult") -> Iterator[bytes]:
        with self.explained():
            yield from map(bytes, found.stream(min_chunk_size=PIECE))

    def write(self, content: Content) -> None:
        size, deadline = content.blob.size, Deadline(self.name, content.blob.size)
        pieces = content.read(deadline.check)
        self.put(self.place(content.blob), b"".join(pieces) if size <= AT_ONCE else pieces, size)

    def put(self, path: str, data: bytes | Iterator[bytes], size: int) -> None:
        put = partial(obstore.put, self.bucket, path, data, chunk_size=PART, max_concurrency=PARTS)
        with self.explained():
            within(limit_transfer(size), put, self.name)

    def read_entry(self, key: str) -> bytes | None:
        with self.explained():
            try:
                return within(ANSWER, partial(self.get_entry, key), self.name)
            except FileNotFoundError:
                return None

    def get_entry(self, key: str) -> bytes:
        found = obstore.get(self.bucket, f"ac/{key}")
        if found.meta["size"] > LARGEST_ENTRY:
            raise UserError(f"{self.name}: sends an entry of more than {LARGEST_ENTRY} bytes")
        return bytes(found.bytes())

    def write_entry(self, key: str, data: bytes) -> None:
        self.put(f"ac/{key}", data, len(data))

    def place(self, blob: Blob) -> str:
        return f"cas/{blob.digest}"

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise the errors of obstore as those of a level."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise Refused(f"{self.name}: {shorten(error)}") from error
        except FileNotFoundError as error:
            raise UserError(f"{self.name}: there is no such bucket") from error
        except (BaseError, ValueError) as error:
            raise give_up(self.name, shorten(error)) from error


def shorten(error: Exception) -> str:
    """Return the first line of an error's message, and not more than LONGEST of it."""
    return str(error).partition("\n")[0][:LONGEST]
