"""Fetches the checkpoints that recipes name by an address, before their builds are planned."""

from dataclasses import dataclass, field

from gpt2forge.builder.build_events import Emit, SourceFetched
from gpt2forge.builder.lockfile import Lock
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.errors import Fault, RecipeError, UserError
from gpt2forge.executor.events import Meter
from gpt2forge.fetch.address import Address, parse_address
from gpt2forge.fetch.fetched import Fetched, find_earlier
from gpt2forge.fetch.resolve import resolve
from gpt2forge.fetch.resolved import Resolved, take_earlier
from gpt2forge.recipe.draft_recipe import load_draft
from gpt2forge.recipe.load import LoadedRecipe


@dataclass
class SourceFetcher:
    """Fetches the checkpoints of one run. Each address is resolved once, so that all recipes build the same commit.

    `takes_earlier`: what was fetched earlier is taken, and no server is asked whether a branch has moved.
    """

    emit: Emit
    takes_earlier: bool = False
    resolved: dict[Address, Resolved] = field(default_factory=dict)
    fetched: dict[tuple[Address, Wanted], Fetched] = field(default_factory=dict)

    def fetch(self, loaded: LoadedRecipe, lock: Lock | None = None) -> Fetched | None:
        """Fetch the checkpoint of a recipe, and that of its draft; return None if the recipe names a path.

        Raises RecipeError, with the place of the address or the line of the lock, before anything is transferred if
        the address leads to another commit than the locked one.
        """
        if draft := load_draft(loaded):
            self.fetch(draft)
        place = loaded.place("source", "checkpoint")
        try:
            address = parse_address(loaded.recipe.source.checkpoint)
            return None if address is None else self.fetch_address(address, loaded, lock)
        except RecipeError:
            raise
        except UserError as error:
            raise RecipeError([Fault(place, str(error))]) from error

    def fetch_address(self, address: Address, loaded: LoadedRecipe, lock: Lock | None) -> Fetched:
        """Fetch an address for a recipe, unless this was done for an earlier recipe of the run."""
        if address not in self.resolved:
            earlier = find_earlier(address) if self.takes_earlier else None
            self.resolved[address] = take_earlier(address, earlier) if earlier else resolve(address)
        commit = self.resolved[address].commit
        if lock and commit:
            lock.check_commit(str(address), commit)
        key = (address, loaded.recipe.source.wanted)
        if key not in self.fetched:
            meter = Meter("fetch", self.emit, loaded.recipe.name)
            self.fetched[key] = self.resolved[address].fetch(key[1], meter.advance)
            self.report(self.fetched[key], loaded)
        return self.fetched[key]

    def report(self, fetched: Fetched, loaded: LoadedRecipe) -> None:
        if fetched.fetched:
            self.emit(
                SourceFetched(fetched.address, commit=fetched.commit, bytes=fetched.fetched, recipe=loaded.recipe.name)
            )
