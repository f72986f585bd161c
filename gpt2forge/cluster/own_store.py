"""The store of a worker that shares no file system with its client: OWN_STORE in the folder in which it was started.

Nothing is published from it, so whatever no step uses may go. The settings there may limit it (`store.max_size`): what
is cheapest to make again goes first. Inputs that were sent cost nothing to make.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.settings import load_settings
from gpt2forge.store.gc import choose, collect
from gpt2forge.store.inventory import measure_store, take_inventory
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.store import Store

OWN_STORE = Path("cache")


@dataclass(frozen=True)
class OwnStore:
    """The store, and how many bytes it may have; None: as many as the disk has."""

    store: Store
    most: int | None

    def shrink(self) -> None:
        """Remove what interrupted steps left, and artifacts until the store is within its limit, unless it is used.

        A step that went well does not fail here.
        """
        with suppress(StoreBusy, OSError):
            collect(self.store, (), limit=None)
            if self.most is None or measure_store(self.store) <= self.most:
                return
            with self.store.hold(alone=True):
                for item in choose(take_inventory(self.store), self.most, keep_recipes=False):
                    self.store.artifacts.evict(item.digest)


def open_own_store() -> OwnStore:
    """Return the store, which need not exist yet. Raises UserError if the settings are wrong."""
    return OwnStore(Store(OWN_STORE.absolute()), load_settings().store.max_size)
