"""Opens the levels that a command was given, with the keys that it trusts.

What is missing for that, such as a library or a key, is a warning, because a build goes on without its levels.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.remote.address import RemoteAddress
from gpt2forge.remote.directory_level import DirectoryLevel
from gpt2forge.remote.level import Level
from gpt2forge.remote.reach import Reach
from gpt2forge.remote.remote import Remote
from gpt2forge.remote.signing import VARIABLE, Signer, load_trusted, read_signer

Warn = Callable[[str], None]


def open_remote(
    addresses: Sequence[RemoteAddress], *, trusted: Sequence[str], environment: Mapping[str, str], warn: Warn
) -> Remote:
    """Open levels; none of them if no key is trusted, and so no entry could be used."""
    if not trusted:
        warn("`store.trusted` lists no key, so no remote is used; `gpt2forge key new FILE` makes one")
        return Remote([], {}, None, warn)
    try:
        verifiers, signer = load_trusted(trusted), find_signer(trusted, environment, warn)
    except UserError as error:
        warn(f"{error}; going on without a remote")
        return Remote([], {}, None, warn)
    return Remote(list(open_reaches(addresses, warn)), verifiers, signer, warn)


def find_signer(trusted: Sequence[str], environment: Mapping[str, str], warn: Warn) -> Signer | None:
    """Return the key to sign with; None without one, or if nobody here trusts it."""
    try:
        signer = read_signer(environment)
    except UserError as error:
        warn(f"{error}; nothing is pushed")
        return None
    if signer and signer.public not in trusted:
        warn(f"`{VARIABLE}`: its public key, `{signer.public}`, is not in `store.trusted`; nothing is pushed")
        return None
    return signer


def open_reaches(addresses: Iterable[RemoteAddress], warn: Warn) -> Iterable[Reach]:
    """Yield the levels that can be opened."""
    for address in addresses:
        try:
            yield Reach(open_level(address), warn, address.is_read_only)
        except UserError as error:
            warn(f"{error}; going on without this remote")


def open_level(address: RemoteAddress) -> Level:
    """Open a level. Raises UserError if a library is not installed, or the address is wrong."""
    if address.kind == "directory":
        return DirectoryLevel(Path(address.place).expanduser())
    try:
        if address.kind == "http":
            from gpt2forge.remote.http_level import HttpLevel

            return HttpLevel(address.place, address.name)
        from gpt2forge.remote.object_level import ObjectLevel

        return ObjectLevel(address.name)
    except ModuleNotFoundError as error:
        raise UserError(f"{address.name}: needs {error.name}: pip install 'gpt2forge[remote]'") from error
