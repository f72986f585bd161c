"""Opens a package as a Model: its session, tokenizer, and the tokens and strings that begin and end texts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gpt2forge.checkpoint.token_ids import BEGIN, END, choose_ids, read_named, take_first
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError, check_argument, is_undecodable
from gpt2forge.graph.model_file import DRAFT_FILE, GRAPH_FILE
from gpt2forge.runtime.decoder import describe_decoder, open_decoder
from gpt2forge.runtime.model import Model
from gpt2forge.runtime.package_settings import DRAFT, read_generation, take_guesses, take_settings
from gpt2forge.runtime.packed_weights import open_packed
from gpt2forge.runtime.text import read_tokenizer

if TYPE_CHECKING:
    from gpt2forge.runtime.generation import Options

MOST_THREADS = 4  # per core; more never help
VARIABLE = "GPT2FORGE_THREADS"
"""Names the number of threads where none is asked for. No build reads it, so no measurement depends on it."""


@dataclass(frozen=True)
class Packed:
    """A folder that keeps the weights as the kernels of a processor read them: see `packed_weights`."""

    folder: Path
    processor: str


def open_model(folder: Path, threads: int = 0, packed: Packed | None = None, *, file: str = GRAPH_FILE) -> Model:
    """Open the package in `folder`, whose graph is in `file`.

    0 threads means those of GPT2FORGE_THREADS, else one for each core.

    Raises UserError if the package is not complete, or for more threads than this machine has use for.
    """
    check_threads(threads)
    threads = threads or read_variable()
    try:
        tokenizer = read_tokenizer(folder)
        if packed is None:
            decoder = open_decoder(folder, threads, file)
        else:
            session = open_packed(folder, packed.folder, packed.processor, threads)
            decoder = describe_decoder(folder, session)
        ends, begin = read_ends_and_begin(folder, decoder.vocabulary)
        generation = read_generation(folder)
    except Exception as error:  # each library raises its own kinds of errors for a cut or edited file
        if isinstance(error, UserError) or is_undecodable(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}: cannot be opened: {reason}; is it complete? build or copy it again") from error
    usual = cast("Options", take_settings(generation))
    guesses = take_guesses(generation)
    draft = folder / DRAFT
    open_draft = partial(open_model, draft, threads, file=DRAFT_FILE) if (draft / DRAFT_FILE).is_file() else None
    if guesses and guesses[0] == DRAFT and open_draft is None:
        guesses = None
    return Model(decoder, tokenizer, ends, begin, take_stops(generation), folder, usual, guesses, open_draft)


def read_ends_and_begin(folder: Path, vocabulary: int) -> tuple[tuple[int, ...], int | None]:
    """Return the tokens that end a text, and the one that starts it: where none is named, the first that ends it."""
    begin, ends = (choose_ids(read_named(folder, key), vocabulary) for key in (BEGIN, END))
    return ends, take_first(begin or ends)


def take_stops(generation: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the strings that end a text, which generation_config.json names as `stop_strings`."""
    found = generation.get("stop_strings")
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(text for text in listed if isinstance(text, str) and text)


def check_threads(threads: int) -> None:
    """Raise UserError for more threads than this machine can use; starting those would take minutes."""
    check_argument("threads", threads, Integral)
    most = MOST_THREADS * (os.cpu_count() or 1)
    if not 0 <= threads <= most:
        raise UserError(f"{threads} threads were asked for; here it may be 0 (one per core) to {most}")


def read_variable() -> int:
    """Return the number of threads in the environment; 0 if there is none. Raises UserError if it is no number."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise UserError(f"{VARIABLE} is {quote_untrusted(text)}; it must be a whole number: 0 means one for each core")
    threads = int(text)
    check_threads(threads)
    return threads
