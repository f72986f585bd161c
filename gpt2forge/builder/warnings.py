"""Warnings about a recipe that builds, but whose numbers say little or whose fit gains little."""

from collections.abc import Sequence
from pathlib import Path

from gpt2forge.builder.report import read_accuracy
from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.from_recipe import TEXTS
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.stages.stage import Stage

EXAMPLE = Path("examples/nano")
FEW = 1000  # positions, below which the numbers say little
SAYS = {
    "verify": "what it says of another model's accuracy means little",
    "calibration": "another model that is fitted to it gains little",
}


def list_warnings(loaded: LoadedRecipe, stages: Sequence[Stage], outcomes: Sequence[Outcome]) -> list[str]:
    """List the warnings about a recipe whose run reaches these stages, and came to these outcomes."""
    read = {kind for stage in stages for kind in stage.reads}
    used = [section for kind, section in TEXTS.items() if kind in read]
    measured = [accuracy.positions for outcome in outcomes if (accuracy := read_accuracy(outcome))]
    return [
        *(warning for section in used for warning in warn_of_text(loaded, section)),
        *(warning for count in measured for warning in warn_of_few(loaded, count)),
    ]


def warn_of_few(loaded: LoadedRecipe, positions: int) -> list[str]:
    """Warn of a text of too few tokens."""
    if positions >= FEW:
        return []
    return [
        f"{loaded.place('verify', 'text')}: {positions} tokens were predicted, which says little; "
        "give `verify.text` some thousands"
    ]


def warn_of_text(loaded: LoadedRecipe, section: str) -> list[str]:
    """Warn where another model is measured on the example's text, or fitted to it."""
    text, example = getattr(loaded.recipe, section).text, EXAMPLE.resolve()
    is_example_text = Path(text).resolve().is_relative_to(example)
    if not is_example_text or Path(loaded.recipe.source.checkpoint).resolve() == example:
        return []
    return [
        f"{loaded.place(section, 'text')}: `{text}` is Python code for the example model; {SAYS[section]}: "
        f"give `{section}.text` pages of what yours was made for"
    ]
