"""`gpt2forge generate`: text from a built recipe, as it comes."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2forge import console
from gpt2forge.commands.output import find_output
from gpt2forge.errors import UserError

if TYPE_CHECKING:
    from gpt2forge.graph.sampling import Sampling

USUAL = 128  # new tokens, where the context has room for them and the user did not say


@dataclass
class Count:
    """How many tokens have come."""

    tokens: int = 0


def generate(
    reference: str, prompt: str, max_tokens: int | None, sampling: "Sampling", threads: int, as_json: bool
) -> None:
    """Write the prompt and what the model adds to it on stdout, each piece as soon as it is known."""
    output = find_output(reference)
    text = read_prompt(prompt)
    started, count = time.monotonic(), Count()
    pieces = stream(output, text, max_tokens, sampling, threads, count)
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


def stream(
    output: Path, text: str, max_tokens: int | None, sampling: "Sampling", threads: int, count: Count
) -> Iterator[str]:
    """The text that a built directory adds to `text`; stops at the model's end-of-text token."""
    from gpt2forge.graph.decode import open_decoder
    from gpt2forge.graph.sampling import make_sampler
    from gpt2forge.graph.text import TextStream, read_tokenizer

    try:
        tokenizer, decoder = read_tokenizer(output), open_decoder(output, threads)
        end = json.loads((output / "config.json").read_text())["eos_token_id"]
    except UserError:
        raise
    except Exception as error:  # each library has its own kinds for a file that is cut off or edited
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{output}: cannot be opened: {reason}; is it complete? build or copy it again") from error
    tokens = tokenizer.encode(text).ids or [end]  # an empty prompt begins as a text of its own does
    room = decoder.context - len(tokens)
    if room < 1:
        raise UserError(f"the prompt's {len(tokens)} tokens leave no room in its {decoder.context}; shorten it")
    wanted = min(USUAL, room) if max_tokens is None else max_tokens
    words = TextStream(tokenizer)
    for token in decoder.generate(tokens, wanted, make_sampler(sampling), end):
        count.tokens += 1
        yield words.push(token)
    yield words.finish()
