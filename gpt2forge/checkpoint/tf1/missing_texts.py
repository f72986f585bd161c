"""Says where the text files of an OpenAI checkpoint can be copied from, if a folder nearby holds them.

Trainers of that time wrote `checkpoint/run1` and `models/124M` side by side; not all copied the texts into the run.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

CONFIG = "hparams.json"
TEXTS = (CONFIG, "encoder.json", "vocab.bpe")
ABOVE = 3  # folders, which lead from `checkpoint/run1` to the folder of `models`
MOST_FOLDERS = 100


def check_texts(folder: Path, names: set[str], texts: Sequence[str] = TEXTS) -> None:
    """Raise UserError unless the folder holds these texts; the message names a folder nearby that does."""
    missing = [name for name in texts if name not in names]
    if not missing:
        return
    found = [place for place in list_nearby(folder) if all((place / name).is_file() for name in missing)]
    shown = " or ".join(quote_untrusted(place) for place in found[:5])
    several = f"the one that was fine-tuned: {shown}" if len(found) > 1 else shown
    raise UserError(f"{folder}: `{'`, `'.join(missing)}` missing; copy them from {several or 'what was fine-tuned'}")


def list_nearby(folder: Path) -> Iterator[Path]:
    """Yield the folders above, and those in a folder `models` beside them."""
    above = folder
    for _ in range(ABOVE):
        above = Path(os.path.normpath(above / ".."))  # as a person writes it, and not `checkpoint/run1/..`
        yield above
        models = above / "models"
        if models.is_dir():
            yield from sorted(models.iterdir())[:MOST_FOLDERS]
