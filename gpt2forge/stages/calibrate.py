"""calibrate: collect statistics of the linear layers' inputs on a text, once for all ways of quantizing."""

from pathlib import Path

from gpt2forge.stages.read_texts import TextLimit, read_windows
from gpt2forge.stages.source_reader import check_tokens, find_own_source
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: TextLimit, target: Target, out: Path) -> Metrics:
    """Write the statistics of `pytorch.calibration` for the model in `weights` and the file `calibration_text`.

    Raises UserError if the text is not UTF-8 or too short, or if the checkpoint has no tokenizer.
    """
    from gpt2forge.pytorch.calibration import write_statistics

    check_tokens(find_own_source(inputs), inputs["weights"], inputs["calibration_text"], section.tokens)
    windows = read_windows(inputs["weights"], inputs["calibration_text"], section.tokens)
    write_statistics(inputs["weights"], windows, out, inputs.advance)
    return {"tokens": sum(map(len, windows))}


STAGE = Stage(
    name="calibrate",
    section="calibration",
    fields=("tokens",),
    target=(),
    reads=("weights", "calibration_text", "checkpoint"),
    writes="statistics",
    tools=("tokenizers", "torch", "transformers"),
    version=1,
    run=run,
    by_processor=lambda section: True,  # PyTorch
    threaded=True,
    guess=lambda section, read: 0.8 * read,
    libraries=900 << 20,
    holds=0.4,
)
