"""Opens the store of a build with the remote levels that it was given, if any."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.remote.address import NONE, VARIABLE, RemoteAddress, hide_password, parse_remote
from gpt2forge.remote.signing import VARIABLE as KEY
from gpt2forge.settings import load_settings
from gpt2forge.store.store import Store


def open_store(root: Path, *, remotes: Sequence[str] = (), warn: Callable[[str], None]) -> Store:
    """Open a store with its levels: those of `remotes`, or else of GPT2FORGE_REMOTE, or else of the settings.

    `warn` is called with what goes wrong with a level. Raises UserError for an address that is none.
    """
    settings = load_settings().store
    addresses = choose_remotes(remotes, os.environ, settings.remote)
    if not addresses:
        return Store(root)
    from gpt2forge.remote.open_remote import open_remote
    from gpt2forge.remote.remote_store import RemoteStore

    opened = partial(open_remote, addresses, trusted=settings.trusted, environment=os.environ, warn=warn)
    return RemoteStore(root, addresses, opened, can_push=bool(os.environ.get(KEY)))


def choose_remotes(
    remotes: Sequence[str], environment: Mapping[str, str], settings: Sequence[str]
) -> list[RemoteAddress]:
    """Return the addresses of the levels, each once. Raises UserError for one that is none."""
    if remotes:
        return parse_remotes("--remote", remotes)
    if VARIABLE in environment:
        return parse_remotes(VARIABLE, environment[VARIABLE].split())
    return parse_remotes("store.remote", settings)


def parse_remotes(where: str, texts: Sequence[str]) -> list[RemoteAddress]:
    """Return the addresses that texts hold; `none`, as an only text, means no level."""
    if list(texts) == [NONE]:
        return []
    try:
        return list({address.name: address for address in map(parse_remote, texts)}.values())
    except ValueError as error:
        raise UserError(f"`{where} {hide_password(' '.join(texts))}`: {error}") from error
