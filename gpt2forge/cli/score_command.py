"""`gpt2forge score`: measures how likely a built recipe finds a text, as its perplexity."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpt2forge.builder.outputs import find_output
from gpt2forge.builder.result import open_result
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, threads_option
from gpt2forge.cli.prompts import LARGEST_FILE, decode, read_file, read_input
from gpt2forge.errors import UserError
from gpt2forge.held_interrupts import hold_interrupts

if TYPE_CHECKING:
    from gpt2forge.runtime.model import Model
    from gpt2forge.runtime.score import Score


@click.command("score")
@click.argument("selector", metavar="RECIPE")
@click.argument("file", metavar="FILE")
@click.option(
    "--stride",
    metavar="N",
    type=click.IntRange(1),
    help="Begin a window of the context every N tokens; each token counts once. Default: the context, without overlap.",
)
@click.option("--tokens", metavar="N", type=click.IntRange(2), help="Score the first N tokens. Default: all.")
@click.option("--prompt", metavar="TEXT", help="Score the file as an answer behind TEXT; both fit the context.")
@threads_option
@json_option
def score(
    selector: str, file: str, stride: int | None, tokens: int | None, prompt: str | None, threads: int, as_json: bool
) -> None:
    """Measure the perplexity of a text file; `-` reads standard input."""
    if prompt is not None and (stride, tokens) != (None, None):
        raise UserError("`--prompt` scores a whole answer in one window; leave out `--stride` and `--tokens`")
    find_output(selector)
    text = read_text(file)
    with hold_interrupts():
        from gpt2forge.runtime.open_model import open_model  # numpy and onnxruntime take longer than --help

    with open_result(selector) as result:
        model = open_model(result.folder, threads)
    stride = model.context if stride is None else stride
    try:
        found = score_text(model, text, stride, tokens) if prompt is None else model.score(prompt, text)
    except UserError as error:
        raise UserError(f"{'standard input' if file == '-' else file}: {error}") from error
    if as_json:
        numbers = {"perplexity": found.perplexity, **vars(found), "window": model.context, "stride": stride}
        console.write_json(numbers)
        return
    console.write(
        f"perplexity {found.perplexity:.4f}\n"
        f"{found.log_probability:.4f} nats, {found.scored} of {found.tokens} tokens predicted, "
        f"windows of {model.context}, stride {stride}\n"
    )


def read_text(file: str) -> str:
    """Return the text of a file, or of standard input if it is `-`. Raises UserError unless it is UTF-8."""
    if file == "-":
        return decode(read_input(LARGEST_FILE, "score a part of it"), "standard input")
    return decode(read_file(Path(file)), file)


def score_text(model: "Model", text: str, stride: int, tokens: int | None) -> "Score":
    """Score a text, and show the progress on a terminal."""
    with click.progressbar(length=1, label="scoring", file=sys.stderr, hidden=not is_terminal()) as bar:

        def advance(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        return model.score_long(text, stride, tokens, advance)


def is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
