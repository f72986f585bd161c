"""calibrate: what a text feeds to the linear layers, kept once for every way of quantizing that looks at it."""

from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field

from gpt2forge.stages.read_texts import read_windows
from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class Calibration(Section):
    """The text that the quantized model is fitted to."""

    text: str = Field(description="a file of UTF-8 text like what the model is for, other than `verify.text`")
    tokens: Annotated[int, Field(ge=2)] = Field(default=16384, description="how many tokens of the text to use at most")


class TextLimit(Protocol):
    """What this step reads of `calibration:`; the text is read by its content."""

    @property
    def tokens(self) -> int: ...


def run(inputs: Inputs, section: TextLimit, target: Target, out: Path) -> Metrics:
    """Write the statistics of `model.calibration` for the model in `weights` and the file `calibration_text`.

    Raises UserError when the text is not UTF-8 or too short, or the checkpoint has no tokenizer.
    """
    from gpt2forge.pytorch.calibration import write_statistics

    windows = read_windows(inputs["weights"], inputs["calibration_text"], section.tokens)
    write_statistics(inputs["weights"], windows, out, inputs.advance)
    return {"tokens": sum(map(len, windows))}


STAGE = Stage(
    name="calibrate",
    section="calibration",
    fields=("tokens",),
    target=(),
    reads=("weights", "calibration_text"),
    writes="statistics",
    tools=("tokenizers", "torch", "transformers"),
    version=1,
    run=run,
    threaded=True,
    guess=lambda section, read: 0.8 * read,
    libraries=900 << 20,
    holds=0.4,
)
