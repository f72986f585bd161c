"""`gpt2forge generate`: streams text from a built recipe."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from gpt2forge.builder.outputs import find_output
from gpt2forge.builder.result import open_result
from gpt2forge.cli import console
from gpt2forge.cli.older_result import force_option, warn_of_older
from gpt2forge.cli.options import json_option
from gpt2forge.errors import UserError

LARGEST_PROMPT = 1 << 22  # bytes; a context of 100,000 tokens takes a tenth of it


@dataclass
class Count:
    """The number of tokens generated so far."""

    tokens: int = 0


@click.command("generate")
@click.argument("selector", metavar="RECIPE")
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("-p", "--prompt", metavar="TEXT", help="Continue this text instead of TEXT; `-` reads standard input.")
@click.option(
    "-n",
    "--max-tokens",
    metavar="N",
    type=click.IntRange(1),
    help="Generate at most N tokens. Default: 128, or as many as the context has room for.",
)
@click.option(
    "-t",
    "--temperature",
    metavar="T",
    type=click.FloatRange(0),
    default=0.0,
    help="0 always takes the likeliest token; larger values give less likely tokens a better chance.",
)
@click.option(
    "--top-k", metavar="K", type=click.IntRange(0), default=0, help="Draw from the K likeliest tokens; 0: from all."
)
@click.option(
    "--top-p",
    metavar="P",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help="Draw from the fewest tokens whose probabilities add up to P.",
)
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="Equal seeds draw equal texts.")
@click.option(
    "--threads", metavar="N", type=click.IntRange(0), default=0, help="Compute with N threads; 0: one for each core."
)
@force_option
@json_option
def generate(
    selector: str,
    text: str | None,
    prompt: str | None,
    max_tokens: int | None,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    threads: int,
    force: bool,
    as_json: bool,
) -> None:
    """Stream text from a built recipe. Write the prompt, TEXT, then each piece as it is generated."""
    from gpt2forge.runtime.model import open_model  # numpy and onnxruntime take longer to import than --help to run
    from gpt2forge.runtime.sampling import Sampling

    wanted = choose_prompt(selector, text, prompt)
    warn_of_older(find_output(selector), force)  # a missing result is reported before standard input is read
    text = read_prompt(wanted)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    started, count = time.monotonic(), Count()
    with open_result(selector) as result:
        model = open_model(result.folder, threads)
    pieces = model.spell(count_tokens(model.continue_tokens(text, max_tokens, sampling), count))
    if as_json:
        added = "".join(pieces)
        seconds = round(time.monotonic() - started, 3)
        console.write_json({"prompt": text, "text": added, "tokens": count.tokens, "seconds": seconds})
        return
    for number, piece in enumerate(pieces):
        # The prompt comes with the first piece: only one that fits the context has any.
        console.write_generated(piece if number else text + piece)
    console.write("\n")


def choose_prompt(selector: str, text: str | None, prompt: str | None) -> str:
    """Return the prompt, by either way of naming it. Raises UserError for both ways, or none."""
    if text is not None and prompt is not None:
        raise UserError("the prompt is named twice; leave out `-p`, or the text behind the recipe")
    if text is None and prompt is None:
        raise UserError(f'which text is to be continued? `gpt2forge generate {selector} "the text"`')
    return str(prompt if text is None else text)


def read_prompt(prompt: str) -> str:
    """Return the prompt, read from standard input if it is `-`.

    Raises UserError unless it is UTF-8, and for more bytes than any context has room for: a pipe may never end.
    """
    data = sys.stdin.buffer.read(LARGEST_PROMPT + 1) if prompt == "-" else os.fsencode(prompt)
    if len(data) > LARGEST_PROMPT:
        raise UserError(f"standard input: has more than {LARGEST_PROMPT} bytes; shorten the prompt")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = "standard input" if prompt == "-" else "the prompt"
        raise UserError(f"{where}: is not UTF-8 text at byte {error.start}; convert it first") from error


def count_tokens(tokens: Iterator[int], count: Count) -> Iterator[int]:
    """Pass the tokens on, and count them."""
    for token in tokens:
        count.tokens += 1
        yield token
