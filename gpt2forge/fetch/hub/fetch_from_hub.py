"""Fetches a checkpoint from the Hugging Face Hub to the cache of huggingface_hub.

1. The revision is resolved to a commit once. Everything else is asked of that commit.
2. If the Hub cannot be reached, the commit that was fetched earlier is taken, and a note says so.
3. Only the files that a conversion reads are fetched. Which ones these are, the checkpoint formats decide by the names.
4. Each file is checked: by sha256 if Git LFS keeps it, else by git's own digest. One that another program put into the
   cache is checked too.
5. huggingface_hub itself neither checks sha256 nor resumes a file after its process has ended, so `download` transfers
   the files.
"""

from dataclasses import replace
from functools import partial

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import HubAddress
from gpt2forge.fetch.fetched import Fetched, find_earlier, read_record, write_record
from gpt2forge.fetch.hub.hub_cache import open_cache
from gpt2forge.fetch.hub.hub_listing import list_files
from gpt2forge.fetch.hub.hub_transfer import HubTransfer
from gpt2forge.fetch.part import measure
from gpt2forge.fetch.resolved import Resolved, take_earlier
from gpt2forge.fetch.retry import PAUSES, Unreachable
from gpt2forge.fetch.transfer import Advance

SHORT = 12  # hexadecimal digits of a commit in a message


def resolve_hub(address: HubAddress) -> Resolved:
    """Find the commit of an address by rules 1 and 2. Raises UserError if it has none, or if that cannot be known."""
    earlier = find_earlier(address)
    if earlier and address.is_fixed:
        return Resolved(address, earlier.commit, partial(complete, address, earlier))
    try:
        listing = list_files(address, PAUSES[:1] if earlier else PAUSES)
    except Unreachable as error:
        return resolve_offline(address, earlier, error)
    return Resolved(address, listing.commit, HubTransfer(address, listing, open_cache(address)).fetch)


def complete(address: HubAddress, earlier: Fetched, wanted: Wanted, advance: Advance) -> Fetched:
    """Return what was fetched for a commit, or fetch what an earlier choice within it did not need."""
    record = read_record(address)
    try:
        is_whole = record and set(find_checkpoint(earlier.folder, wanted=wanted).files) <= set(record.files)
    except UserError:
        is_whole = False
    if is_whole:
        return earlier
    return HubTransfer(address, list_files(address, PAUSES), open_cache(address)).fetch(wanted, advance)


def resolve_offline(address: HubAddress, earlier: Fetched | None, error: Unreachable) -> Resolved:
    """Take what was fetched earlier, or what the cache holds, by rule 2. Raises the error if there is neither."""
    if earlier:
        note = f"{error.problem}; the commit {str(earlier.commit)[:SHORT]} is built, which was fetched earlier"
        return take_earlier(address, replace(earlier, notes=(note,)))
    cache = open_cache(address)
    commit = cache.read_commit(address)
    if commit is None or not cache.snapshot(commit).is_dir():
        raise error
    return Resolved(address, commit, lambda wanted, advance: adopt(address, commit, wanted=wanted, error=error))


def adopt(address: HubAddress, commit: str, *, wanted: Wanted, error: Unreachable) -> Fetched:
    """Take a commit that another program put into the cache. Raises the error if it is no whole checkpoint."""
    folder = open_cache(address).snapshot(commit)
    try:
        names = find_checkpoint(folder, wanted=wanted).files
    except UserError:
        raise error from None
    write_record(address, commit=commit, folder=folder, files={name: measure(folder / name) for name in names})
    note = (
        f"{error.problem}; the commit {commit[:SHORT]} in the cache is built, which another program put there, "
        "so whether every file is there is not known"
    )
    return Fetched(str(address), folder, commit, (note,))
