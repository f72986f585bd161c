"""Makes artifacts and records for tests."""

from gpt2forge.store.records import Record
from gpt2forge.store.store import Store

KEY = "0" * 64


def put(store: Store, files: dict[str, bytes], key: str = KEY) -> str:
    with store.lock(key):
        folder = store.make_workspace(key)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return store.artifacts.commit(folder)


def make_record(digest: str) -> Record:
    return Record(
        key=KEY,
        stage="convert",
        pre_image={"stage": "convert"},
        digest=digest,
        metrics={"bytes": 1},
        seconds=1.5,
        peak_memory_bytes=2,
        created=3.0,
    )
