"""`gpt2forge store forget`: gives up outputs that are not found, for which the store keeps artifacts."""

import shlex
from pathlib import Path

import click

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.cli import console
from gpt2forge.cli.options import STORE, store_option
from gpt2forge.errors import UserError, quote
from gpt2forge.store.doubts import Doubt, forget, list_doubts
from gpt2forge.store.marker import check_store
from gpt2forge.store.roots import read_notes
from gpt2forge.store.store import Store
from gpt2forge.units import count


@click.command("forget")
@click.argument("names", metavar="OUTPUT...", nargs=-1, required=True)
@store_option
def forget_command(names: tuple[str, ...], store: Path) -> None:
    """Forget outputs that `gc` does not find, so that it may remove their artifacts. OUTPUT is a path that `gc`
    names, or a pattern in quotes."""
    opened = Store(store)
    check_store(store)
    with opened.hold():
        doubts = list_doubts(read_notes(opened))
        chosen = [doubt for doubt in doubts if any(doubt.matches(name) for name in names)]
        unknown = [name for name in names if not is_pattern(name) and not any(each.matches(name) for each in doubts)]
        if unknown:
            raise UserError(f"{store}: knows no missing output {quote(unknown)}; `gpt2forge store gc` lists them")
        forget(chosen)
    console.write(f"forgot {count(len(chosen), 'output')}\n")


def is_pattern(name: str) -> bool:
    """Return whether a name may stand for several outputs, or for none."""
    return any(character in name for character in "*?[")


def describe_doubt(doubt: Doubt, store: Store) -> str:
    """Explain what is kept for an output in doubt, and name the command that forgets it."""
    option = "" if store.root == STORE else f" --store {shlex.quote(str(store.root))}"
    fix = f"`gpt2forge store forget {shlex.quote(doubt.name)}{option}`"
    if doubt.root is None:
        return f"{doubt.note}: cannot be read, so no artifact is removed; build its output again, or run {fix}"
    kept = [digest for digest in doubt.root.list_kept() if store.artifacts.folder(digest).is_dir()]
    what = f"keeps {count(len(kept), 'artifact')} for {quote_untrusted(doubt.root.output)}, which is not found"
    return f"{what}: it may have moved, or be visible elsewhere only; if it is no longer used, run {fix}"
