"""`gpt2forge generate`: text from a built recipe, as it comes."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2forge.builder.outputs import find_output
from gpt2forge.cli import console
from gpt2forge.errors import UserError

if TYPE_CHECKING:
    from gpt2forge.runtime.sampling import Sampling


@dataclass
class Count:
    """How many tokens have come."""

    tokens: int = 0


def generate(
    reference: str, prompt: str, max_tokens: int | None, sampling: "Sampling", threads: int, as_json: bool
) -> None:
    """Write the prompt and what the model adds to it on stdout, each piece as soon as it is known."""
    from gpt2forge.runtime.model import open_model

    output = find_output(reference)
    text = read_prompt(prompt)
    started, count = time.monotonic(), Count()
    model = open_model(output, threads)
    pieces = model.spell(count_tokens(model.continue_tokens(text, max_tokens, sampling), count))
    if as_json:
        added = "".join(pieces)
        seconds = round(time.monotonic() - started, 3)
        console.write_json({"prompt": text, "text": added, "tokens": count.tokens, "seconds": seconds})
        return
    for number, piece in enumerate(pieces):
        console.write(piece if number else text + piece)  # the prompt too only when it is known to fit
    console.write("\n")


def read_prompt(prompt: str) -> str:
    """The prompt, from standard input if it is `-`; raises UserError unless it is text."""
    data = sys.stdin.buffer.read() if prompt == "-" else os.fsencode(prompt)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = "standard input" if prompt == "-" else "the prompt"
        raise UserError(f"{where}: is not UTF-8 text at byte {error.start}; convert it first") from error


def count_tokens(tokens: Iterator[int], count: Count) -> Iterator[int]:
    for token in tokens:
        count.tokens += 1
        yield token
