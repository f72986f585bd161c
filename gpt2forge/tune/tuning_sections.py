"""The sections of the stages that only `tune` runs. They are part of no recipe."""

from gpt2forge.recipe.sections.section import Section


class SensitivitySection(Section):
    """A part of the model, `h.0` or `tables`, and how its weights are fitted to the calibration text."""

    part: str
    method: str
    smooth: bool


class FormCostsSection(Section):
    """How many rows of activations the products of the layers, and that of the LM head, have."""

    rows: int
    head_rows: int
