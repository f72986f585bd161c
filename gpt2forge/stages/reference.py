"""reference: keep PyTorch's float32 predictions on the text, once for all variants of a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2forge.checkpoint.config import read_config
from gpt2forge.errors import UserError
from gpt2forge.stages.read_texts import TextLimit, read_windows
from gpt2forge.stages.source_reader import OwnSource, check_tokens, find_own_source
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

if TYPE_CHECKING:  # it imports PyTorch
    from gpt2forge.pytorch.oracle import Oracle

POSITION = 1300  # bytes that the artifact takes for each position


def run(inputs: Inputs, section: TextLimit, target: Target, out: Path) -> Metrics:
    """Write the arrays of `measure.distributions` for the model in `weights` and the file `text`.

    Raises UserError if the text is not UTF-8 or too short, or if the checkpoint has no tokenizer.
    """
    import numpy as np

    from gpt2forge.measure.distributions import join, summarize_window, write_reference

    weights = inputs["weights"]
    windows = read_windows(weights, inputs["text"], section.tokens)  # a text of no use is told before PyTorch loads
    source = find_own_source(inputs)
    oracle, notes = open_reference(weights, source)  # imports PyTorch before the check imports transformers
    check_tokens(source, weights, inputs["text"], section.tokens)
    random, parts = np.random.default_rng(0), []
    for number, window in enumerate(windows):
        inputs.advance(number, len(windows), "windows")
        parts.append(summarize_window(oracle.read(window), window, random))
    write_reference(join(parts), out)
    return {
        "windows": len(windows),
        "text": describe_text(weights, windows),
        **({"notes": notes} if notes else {}),
    }


def describe_text(weights: Path, windows: Sequence[Sequence[int]]) -> dict[str, int]:
    """Return the size of the text of all windows in bytes, plain and compressed, and the size of the vocabulary."""
    import zlib

    from gpt2forge.runtime.text import read_tokenizer

    tokens = [token for window in windows for token in window]
    text = read_tokenizer(weights).decode(tokens, skip_special_tokens=False).encode()
    return {
        "bytes": len(text),
        "zlib_bytes": len(zlib.compress(text, 9)),
        "vocabulary": read_config(weights).vocab_size,
    }


def open_reference(weights: Path, source: OwnSource | None) -> tuple["Oracle", list[str]]:
    """Open the model that the source holds, else the converted one; return it with what a user should know."""
    from gpt2forge.pytorch.oracle import Oracle, list_ends, load_model, load_source

    if source is None or source.format != "huggingface":
        return Oracle(load_model(weights)), []
    model = load_source(source.folder)
    if model is not None:
        check_ends(weights, list_ends(model), source.folder)
        return Oracle(model), []
    note = "transformers cannot load this checkpoint whole, so the reference is the converted model"
    return Oracle(load_model(weights)), [note]


def check_ends(weights: Path, expected: Sequence[int], folder: Path) -> None:
    """Raise UserError unless the converted model has the ends of text that transformers finds, if it finds any."""
    from gpt2forge.checkpoint.token_ids import END, choose_ids, read_named

    found = choose_ids(read_named(weights, END), read_config(weights).vocab_size)
    if expected and set(found) != set(expected):
        raise UserError(
            f"{folder}: the converted model ends a text at the tokens {list(found)}, but transformers at "
            f"{list(expected)}; correct `eos_token_id` in generation_config.json"
        )


STAGE = Stage(
    name="reference",
    section="verify",
    fields=("tokens",),
    target=(),
    reads=("weights", "text", "checkpoint"),
    writes="reference",
    tools=("numpy", "tokenizers", "torch", "transformers"),
    version=1,
    run=run,
    by_processor=lambda section: True,  # PyTorch
    optional=True,
    threaded=True,
    guess=lambda section, read: section.tokens * POSITION,
    libraries=400 << 20,
)
