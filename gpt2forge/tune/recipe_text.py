"""Writes a tuned recipe as a file that needs no other file, with a comment that says why it is as it is."""

from collections.abc import Iterator
from pathlib import Path

from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError
from gpt2forge.recipe.yaml import write_document
from gpt2forge.regular_file import read_start
from gpt2forge.tune.effect import compute_effect
from gpt2forge.tune.effect_words import describe_effect
from gpt2forge.tune.tune_recipe import Tuned
from gpt2forge.units import format_size

MARK = "# Chosen by `gpt2forge tune"


def write_recipe_text(tuned: Tuned, command: str) -> str:
    """Return the file of a tuned recipe. `command` are the words after `gpt2forge tune`."""
    lines = [f"{MARK} {command}`.", *describe_gain(tuned), *describe_search(tuned)]
    comment = "".join(f"# {line.removeprefix('# ')}\n" for line in lines)
    values = tuned.loaded.document.plain()
    return comment + write_document({"name": tuned.loaded.recipe.name, **values})


def describe_gain(tuned: Tuned) -> Iterator[str]:
    """Yield how the result compares with the recipe to start from, on the text of `verify`."""
    yield f"On the text of `verify`: {describe_numbers(tuned.report)}."
    yield f"{tuned.start.recipe}, where the search began: {describe_numbers(tuned.start)}."
    change = describe_effect(compute_effect("tuned", tuned.report, tuned.start))
    if change:
        yield f"The change, with its interval: {change}."
    host = tuned.report.verify.host if tuned.report.verify else None
    if host:
        yield f"Measured on {host.processor}, {host.threads} threads."


def describe_search(tuned: Tuned) -> Iterator[str]:
    """Yield what was tried."""
    count = len(tuned.tried)
    yield f"Each weight was measured alone in every form on the calibration text, and {count} mixes as a whole."


def describe_numbers(report: Report) -> str:
    """Return size, divergence, increase of perplexity and times, as far as they were measured."""
    words = []
    if report.bytes:
        words.append(f"{format_size(report.bytes.package)} ({report.bytes.package} bytes)")
    if report.verify:
        words.append(f"KL {report.verify.kl_mean:.2e}, perplexity {report.verify.perplexity_increase:+.2%}")
    if report.benchmark:
        words.append(f"{report.benchmark.token_ms:.2f} ms a token, {report.benchmark.prefill_ms:.2f} ms a prompt")
    return ", ".join(words)


def check_place(path: Path) -> None:
    """Raise UserError if a file is there that `tune` did not write."""
    if path.exists() and not read_start(path, len(MARK)).startswith(MARK.encode()):
        raise UserError(f"{path}: is there already, and `tune` did not write it; choose another `--name`")
