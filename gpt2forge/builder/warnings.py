"""Warnings about a recipe that builds, but whose numbers say little or whose fit gains little."""

from pathlib import Path

from gpt2forge.recipe.load import LoadedRecipe

EXAMPLE = Path("examples/nano")
FEW = 1000  # positions, below which the numbers say little
SAYS = {
    "verify": "what it says of another model's accuracy means little",
    "calibration": "another model that is fitted to it gains little",
}


def warn_of_few(loaded: LoadedRecipe, positions: int) -> list[str]:
    """A text of a few words."""
    if positions >= FEW:
        return []
    return [
        f"{loaded.place('verify', 'text')}: {positions} tokens were predicted, which says little; "
        "give `verify.text` some thousands"
    ]


def warn_of_text(loaded: LoadedRecipe, section: str) -> list[str]:
    """A model of one's own that is judged by the example's text, or fitted to it."""
    text, example = getattr(loaded.recipe, section).text, EXAMPLE.resolve()
    is_example_text = Path(text).resolve().is_relative_to(example)
    if not is_example_text or Path(loaded.recipe.source.checkpoint).resolve() == example:
        return []
    return [
        f"{loaded.place(section, 'text')}: `{text}` is Python code for the example model; {SAYS[section]}: "
        f"give `{section}.text` pages of what yours was made for"
    ]
