"""Warnings about a recipe whose text is too short, or of the wrong kind, for its model."""

from collections.abc import Sequence
from pathlib import Path

from gpt2forge.builder.report import read_accuracy
from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.from_recipe import TEXTS
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.stages.stage import Stage

EXAMPLE = Path("examples/nano")
FEW = 1000  # tokens; fewer are too few to measure a model
EFFECTS = {
    "verify": "it shows little about the accuracy of another model",
    "calibration": "another model that is fitted to it gains little",
}
"""The effect of the example's text in a recipe of another model, by section."""


def list_warnings(
    loaded: LoadedRecipe, stages: Sequence[Stage], outcomes: Sequence[Outcome], notes: Sequence[str] = ()
) -> list[str]:
    """List the warnings about a recipe whose run has these stages and these outcomes.

    `notes` say how its checkpoint was found.
    """
    read = {kind for stage in stages for kind in stage.reads}
    used = [section for kind, section in TEXTS.items() if kind in read]
    measured = [accuracy.positions for outcome in outcomes if (accuracy := read_accuracy(outcome))]
    told = (note for outcome in outcomes for note in outcome.metrics.get("notes", ()))
    return [
        *(f"{loaded.place('source', 'checkpoint')}: {note}" for note in dict.fromkeys([*notes, *told])),
        *(warning for section in used for warning in warn_of_text(loaded, section)),
        *(warning for count in measured for warning in warn_of_few(loaded, count)),
    ]


def warn_of_few(loaded: LoadedRecipe, positions: int) -> list[str]:
    """Warn if the text has too few tokens."""
    if positions >= FEW:
        return []
    return [
        f"{loaded.place('verify', 'text')}: {positions} predicted tokens are too few to measure a model by; "
        "give `verify.text` some thousands"
    ]


def warn_of_text(loaded: LoadedRecipe, section: str) -> list[str]:
    """Warn if another model is measured on the example's text, or fitted to it."""
    text, example = getattr(loaded.recipe, section).text, (loaded.project / EXAMPLE).resolve()
    is_example_text = (loaded.project / text).resolve().is_relative_to(example)
    if not is_example_text or (loaded.project / loaded.recipe.source.checkpoint).resolve() == example:
        return []
    return [
        f"{loaded.place(section, 'text')}: `{text}` is Python code for the example model; {EFFECTS[section]}: "
        f"give `{section}.text` pages of text like what your model is for"
    ]
