"""An address whose commit is known, and the way to fetch it."""

from collections.abc import Callable
from dataclasses import dataclass

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.fetch.address import Address
from gpt2forge.fetch.fetched import Fetched
from gpt2forge.fetch.transfer import Advance


@dataclass(frozen=True)
class Resolved:
    """An address whose commit is known; None if it is not a repository's.

    `fetch` brings the files that a recipe's choice needs. It raises UserError if that fails.
    """

    address: Address
    commit: str | None
    fetch: Callable[[Wanted, Advance], Fetched]


def take_earlier(address: Address, earlier: Fetched) -> Resolved:
    """Return the address with what was fetched earlier, without another look at the server."""
    return Resolved(address, earlier.commit, lambda wanted, advance: earlier)
