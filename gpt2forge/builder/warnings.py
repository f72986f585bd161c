"""Warnings about a recipe whose text is too short, or of the wrong kind, for its model.

A model that predicts the text hardly better than a uniform guess among its tokens is not trained, or was trained with
other tokens. One that needs more bits for the text than zlib, which knows no language, does not know the text's
language: zlib needs 2 to 3.5 bits for a byte of prose or code, the example model 2.0, and GPT-2 124M about 1.1 for a
byte of English.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from gpt2forge.builder.measurements import Accuracy, MeasuredText
from gpt2forge.builder.report import read_accuracy
from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.from_recipe import TEXTS
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.stages.stage import Stage

EXAMPLE = Path("examples/nano")
FEW = 1000  # tokens; fewer are too few to measure a model
REPETITIVE = 1.5  # bits a byte; zlib, which remembers 32 kB, needs fewer only for a text that repeats itself
GUESS = 0.9  # of the bits that a uniform guess needs; a trained model needs less of any text of its tokens
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
    measured = [accuracy for outcome in outcomes if (accuracy := read_accuracy(outcome))]
    texts = [MeasuredText.model_validate(each.metrics["text"]) for each in outcomes if each.metrics.get("text")]
    told = (note for outcome in outcomes for note in outcome.metrics.get("notes", ()))
    return [
        *(f"{loaded.place('source', 'checkpoint')}: {note}" for note in dict.fromkeys([*notes, *told])),
        *(warning for section in used for warning in warn_of_text(loaded, section)),
        *(warning for accuracy in measured for warning in warn_of_few(loaded, accuracy.positions)),
        *(warning for accuracy in measured for text in texts for warning in warn_of_stranger(loaded, accuracy, text)),
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


def warn_of_stranger(loaded: LoadedRecipe, measured: Accuracy, text: MeasuredText) -> list[str]:
    """Warn if the model predicts the text no better than what knows nothing of it: a uniform guess, or zlib."""
    if measured.positions < FEW:
        return []
    bits, guess = measured.bits_reference, measured.positions * math.log2(max(2, text.vocabulary))
    if bits >= GUESS * guess:
        return [
            f"{loaded.place('source', 'checkpoint')}: PyTorch's perplexity of {measured.perplexity_reference:.0f} is "
            f"hardly better than a guess among all {text.vocabulary} tokens: the model is not trained, or has another "
            "tokenizer, or `verify.text` is in a language that it does not know"
        ]
    size = max(1, text.bytes)
    ours, theirs = bits / size, 8 * text.zlib_bytes / size
    if ours >= theirs >= REPETITIVE:
        return [
            f"{loaded.place('verify', 'text')}: the model needs {ours:.1f} bits for each byte of the text, and zlib, "
            f"which knows no language, {theirs:.1f}; is the text in the model's language? Give text like what the "
            "model is for"
        ]
    return []
