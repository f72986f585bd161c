"""Makes jobs that measure on the calibration text, because the choice must not see the text that judges the result.

Weights are fitted to the first three quarters of the text and measured on the rest. On the text that weights are fitted
to, nano's divergence is an eighth too small, most of all for large blocks, whose errors GPTQ cancels best there.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.recipe.sections.verify_section import Verify
from gpt2forge.stages import form_costs, form_memory, sensitivity
from gpt2forge.stages.read_texts import count_bytes, read_text
from gpt2forge.tune.tuning_sections import FormCostsSection, SensitivitySection

ALONE = 4096  # tokens of the rest on which weights are measured alone: nearly two hundred times on nano
WHOLE = 16_384  # and candidates
SHARE = 0.75  # of the text that weights are fitted to
PREPARING = ("convert", "export", "fuse", "calibrate", "reference")
CHOOSING = (*PREPARING, "quantize", "verify")


@dataclass(frozen=True)
class SplitText:
    """The part of the calibration text that weights are fitted to, and the rest."""

    fitted: Path
    rest: Path


def split_text(loaded: LoadedRecipe, folder: Path) -> SplitText:
    """Write both parts of the calibration text to a folder. The keys of steps have their content, not their place.

    Raises UserError if the recipe has no calibration text or is not verified.
    """
    calibration = loaded.recipe.calibration
    if calibration is None or loaded.recipe.verify is None:
        missing = "calibration" if calibration is None else "verify"
        raise UserError(f"{loaded.recipe.name}: `tune` needs `{missing}:` with a `text` like what the model is for")
    text = read_text(Path(calibration.text), calibration.tokens)
    cut = int(SHARE * len(text))
    cut = max(text.rfind(space, 0, cut) for space in " \n") + 1 or cut
    split = SplitText(folder / "fitted.txt", folder / "rest.txt")
    for path, part in ((split.fitted, text[:cut]), (split.rest, text[cut:])):
        path.write_bytes(part.encode())
    return split


def measure_on_rest(loaded: LoadedRecipe, split: SplitText, stages: tuple[str, ...], tokens: int) -> Job:
    """Return the job of these stages of a recipe, fitted to one part and measured on so much of the other."""
    job, text = make_job(loaded.leave_out("generation")), Verify(text=str(split.rest), tokens=tokens)
    assert loaded.recipe.calibration is not None
    fitted = Source(split.fitted, most=count_bytes(loaded.recipe.calibration.tokens))
    measured = Source(split.rest, most=count_bytes(tokens))
    return replace(
        job,
        stages=tuple(stage for stage in job.stages if stage.name in stages),
        sections={**job.sections, "verify": text},
        sources={**job.sources, "calibration_text": fitted, "text": measured},
    )


def make_preparing_job(loaded: LoadedRecipe, split: SplitText) -> Job:
    """Return the job that makes what every sensitivity is measured with."""
    return measure_on_rest(loaded, split, PREPARING, ALONE)


def make_sensitivity_job(prepared: Job, part: str) -> Job:
    """Return the job that measures the sensitivities of a part of the model."""
    quantization = prepared.sections["quantization"]
    values = {"part": part, **{key: getattr(quantization, key) for key in ("method", "smooth")}}
    section = SensitivitySection.model_validate(values)
    return replace(
        prepared,
        name=f"{prepared.name} {part}",
        stages=(*prepared.stages, sensitivity.STAGE.for_section(section)),
        sections={**prepared.sections, "sensitivity": section},
    )


def make_costs_job(prepared: Job, section: FormCostsSection | None) -> Job:
    """Return the job that times every form of every shape; without a `section`, it measures their memory."""
    stage = form_costs.STAGE if section else form_memory.STAGE
    return replace(
        prepared,
        name=f"{prepared.name} costs",
        stages=(*(stage for stage in prepared.stages if stage.name == "convert"), stage),
        sections={**prepared.sections, **({"form_costs": section} if section else {})},
    )


def make_choosing_job(loaded: LoadedRecipe, split: SplitText) -> Job:
    """Return the job that builds a candidate and measures its divergence on the rest of the calibration text."""
    return measure_on_rest(loaded, split, CHOOSING, WHOLE)
