"""reference: keep PyTorch's float32 predictions on the text, once for all variants of a checkpoint."""

from pathlib import Path

from gpt2forge.stages.read_texts import TextLimit, read_windows
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

POSITION = 1300  # bytes that the artifact takes for each position


def run(inputs: Inputs, section: TextLimit, target: Target, out: Path) -> Metrics:
    """Write the arrays of `measure.distributions` for the model in `weights` and the file `text`.

    Raises UserError if the text is not UTF-8 or too short, or if the checkpoint has no tokenizer.
    """
    import numpy as np

    from gpt2forge.measure.distributions import join, summarize_window, write_reference
    from gpt2forge.pytorch.oracle import Oracle

    weights = inputs["weights"]
    windows = read_windows(weights, inputs["text"], section.tokens)
    oracle, random, parts = Oracle(weights), np.random.default_rng(0), []
    for number, window in enumerate(windows):
        inputs.advance(number, len(windows), "windows")
        parts.append(summarize_window(oracle.read(window), window, random))
    write_reference(join(parts), out)
    return {"windows": len(windows)}


STAGE = Stage(
    name="reference",
    section="verify",
    fields=("tokens",),
    target=(),
    reads=("weights", "text"),
    writes="reference",
    tools=("numpy", "tokenizers", "torch", "transformers"),
    version=1,
    run=run,
    optional=True,
    threaded=True,
    guess=lambda section, read: section.tokens * POSITION,
    libraries=400 << 20,
)
