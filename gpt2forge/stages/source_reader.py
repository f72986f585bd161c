"""Reads a checkpoint by its own library, so that the reference does not depend on our conversion.

1. The weights are transformers' own, if it can load the checkpoint whole. Otherwise the converted weights are the
   reference, and a note says so where one could expect otherwise.
2. The tokens of a text are checked against the checkpoint's own tokenizer, the tokens that end a text against those
   that transformers finds.
3. Neither holds if the recipe names an adapter or a tokenizer beside the checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.format import Checkpoint, Wanted
from gpt2forge.stages.forge_json import read_provenance
from gpt2forge.stages.read_texts import read_beginning
from gpt2forge.stages.stage import Inputs

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class OwnSource:
    """A checkpoint from which alone the weights were made.

    `reads_texts`: the converted tokenizer reads texts as the checkpoint's own does.
    """

    checkpoint: Checkpoint
    reads_texts: bool

    @property
    def folder(self) -> Path:
        return self.checkpoint.folder

    @property
    def format(self) -> str:
        """The name of its format."""
        return self.checkpoint.format.name


def find_own_source(inputs: Inputs) -> OwnSource | None:
    """Return the checkpoint of a stage that reads it beside the weights; None by rule 3."""
    from gpt2forge.checkpoint.detect import find_checkpoint
    from gpt2forge.checkpoint.source_texts import reads_as_saved

    provenance = read_provenance(inputs["weights"])
    made = provenance.get("inputs", {}).get("convert", {})
    if set(made) != {CHECKPOINT}:
        return None
    chosen = provenance.get("sections", {}).get("source", {})
    wanted = Wanted(
        chosen.get("step"), chosen.get("own_tokenizer", True), chosen.get("special_tokens"), file=chosen.get("file")
    )
    found = find_checkpoint(inputs[CHECKPOINT], wanted=wanted)
    return OwnSource(found, reads_as_saved(found, wanted))


def check_tokens(source: OwnSource | None, weights: Path, text: Path, most: int) -> None:
    """Check the tokens of the beginning of a text (rule 2). Raises UserError that shows where they differ."""
    from gpt2forge.checkpoint.check_tokenizer import check_text
    from gpt2forge.checkpoint.source_texts import open_converted
    from gpt2forge.runtime.text import read_tokenizer

    if source is None or not source.reads_texts:
        return
    own = open_converted(source.checkpoint, weights)
    if own is not None:
        check_text(own, read_tokenizer(weights), source.folder, read_beginning(text, most))
