"""Words for a checkpoint that is not where a recipe or a user says."""

from pathlib import Path

from gpt2forge.checkpoint.detect import NoCheckpoint
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import suggest_address
from gpt2forge.recipe.suggest_path import suggest_path


def explain_missing(error: UserError, text: str, folder: Path) -> str:
    """Return the message of an error about the checkpoint `text`: with the path or the address that is meant.

    A relative path starts at `folder`. What may be put there is left out if something else is meant.
    """
    if not isinstance(error, NoCheckpoint):
        return f"{error}{suggest_address(text)}"
    fix = suggest_path(text, folder) or suggest_address(text)
    return f"no checkpoint at `{text}`{fix}" if fix else str(error)
