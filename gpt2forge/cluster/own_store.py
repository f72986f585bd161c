"""The store of a worker that shares no file system with its client: OWN_STORE in the folder in which it was started.

Nothing is published from it. The settings there may limit it (`store.max_size`): what is cheapest to make again goes
first, while no step of this machine uses the store. Inputs that were sent cost nothing to make.
"""

from contextlib import suppress
from pathlib import Path

from gpt2forge.settings import load_settings
from gpt2forge.store.gc import choose
from gpt2forge.store.inventory import measure_store, take_inventory
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.store import Store

OWN_STORE = Path("cache")


def open_own_store() -> Store:
    """Return the store, which need not exist yet."""
    return Store(OWN_STORE.absolute())


def shrink_own_store(store: Store) -> None:
    """Evict artifacts until the store is within its limit, unless a step uses it."""
    most = load_settings().store.max_size
    if most is None or measure_store(store) <= most:
        return
    with suppress(StoreBusy), store.hold(alone=True):
        for item in choose(take_inventory(store), most, keep_recipes=False):
            store.artifacts.evict(item.digest)
