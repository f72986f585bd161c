"""Pushes entries to a level: blobs first, the entry last, each looked at again afterwards.

1. What the level has already is not written again, unless a pull has found it damaged.
2. An entry that a trusted key has signed stays while its blobs are there, also if it names another artifact: whoever
   pulled that one goes on from it.
3. A level that claims to have written what it does not have gets no entry.
"""

from collections.abc import Iterable, Mapping

from gpt2forge.errors import UserError
from gpt2forge.remote.blob import Content
from gpt2forge.remote.entry import Entry, parse_entry
from gpt2forge.remote.reach import Reach
from gpt2forge.remote.signing import Verify
from gpt2forge.store.store import Store


def push_entry(reach: Reach, entry: Entry, store: Store, trusted: Mapping[str, Verify]) -> int:
    """Write an entry and its blobs to a level; return how many bytes of blobs were written."""
    there = read_trusted(reach, entry, trusted)
    if there and there.record.digest != entry.record.digest and is_whole(reach, there):
        return 0
    sent = push_blobs(reach, entry.tree.list_contents(store.artifacts.folder(entry.record.digest).joinpath))
    if there is None or there.tree.blobs != entry.tree.blobs or there.record.digest != entry.record.digest:
        reach.level.write_entry(entry.record.key, entry.data)
        if read_trusted(reach, entry, trusted) is None:
            raise UserError(f"{reach.name}: does not keep what was written to it")
    return sent


def read_trusted(reach: Reach, entry: Entry, trusted: Mapping[str, Verify]) -> Entry | None:
    """Return the entry that a level has under the key of an entry; None unless a trusted key has signed it."""
    data = reach.level.read_entry(entry.record.key)
    try:
        return (data and parse_entry(data, stage=entry.record.stage, key=entry.record.key, trusted=trusted)) or None
    except ValueError:
        return None


def is_whole(reach: Reach, entry: Entry) -> bool:
    """Return whether a level has every blob of an entry."""
    return all(blob not in reach.unusable and reach.level.has(blob) for blob in entry.tree.blobs)


def push_blobs(reach: Reach, contents: Iterable[Content]) -> int:
    """Write the blobs that a level lacks; return how many bytes they have."""
    level, sent = reach.level, 0
    for content in contents:
        if content.blob not in reach.unusable and level.has(content.blob):
            continue
        level.write(content)
        if not level.has(content.blob):
            raise UserError(f"{reach.name}: does not keep what was written to it")
        reach.unusable.discard(content.blob)
        sent += content.blob.size
    return sent
