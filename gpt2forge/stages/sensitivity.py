"""sensitivity: measure how far each weight of a part of the model, quantized alone in each form, moves the predictions.

`tune` runs this stage for each part, so that it goes on where it stopped. No build has it. Its reference is that of the
calibration text, because the choice must not see the text that judges the result.
"""

import json
import os
from pathlib import Path
from typing import Protocol

from gpt2forge.quantize.scheme_table import CHANNEL_BITS
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


class PartToMeasure(Protocol):
    """A part of the model, `h.0` or `tables`, and how its weights are fitted to the calibration text."""

    @property
    def part(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def smooth(self) -> bool: ...


def is_fitted(section: PartToMeasure) -> bool:
    """Return whether weights are fitted to a calibration text."""
    return section.method == "gptq" or section.smooth


def run(inputs: Inputs, section: PartToMeasure, target: Target, out: Path) -> Metrics:
    """Write `sensitivity.json`: the numbers of `measure.sensitivity` by weight and form.

    Raises UserError if a weight cannot be quantized.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is loaded; see `quantize`

    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.measure.distributions import read_reference
    from gpt2forge.measure.products import find_length
    from gpt2forge.measure.sensitivity import FloatModel, measure_sensitivity
    from gpt2forge.quantize.fit import Fit
    from gpt2forge.quantize.forms import list_forms, list_weights
    from gpt2forge.quantize.statistics import open_statistics

    statistics = open_statistics(inputs["statistics"]) if is_fitted(section) else {}
    fit = Fit(statistics, section.smooth, section.method == "gptq")
    model = FloatModel(inputs["graph"], inputs["weights"], fit)
    reference = read_reference(inputs["reference"])
    config = read_config(inputs["weights"])
    lengths = {weight: find_length(weight, config) for weight in list_weights(section.part)}
    pairs = [(weight, form) for weight, length in lengths.items() for form in list_forms(weight, length)]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for number, (weight, form) in enumerate(pairs):
        inputs.advance(number, len(pairs), "forms")
        bits = CHANNEL_BITS[target.cpu]
        one = measure_sensitivity(model, weight, form, channel_bits=bits, reference=reference, space=out)
        found.setdefault(weight, {})[form.name] = vars(one)
    (out / "sensitivity.json").write_text(json.dumps(found, indent=1) + "\n")
    return {"sensitivity": found, "layers": config.n_layer}


STAGE = Stage(
    name="sensitivity",
    section="sensitivity",
    target=("cpu",),
    reads=("weights", "graph", "reference"),
    also_reads=lambda section: ("statistics",) if is_fitted(section) else (),
    writes="sensitivity",
    tools=("numpy", "onnx", "onnx-ir", "onnxruntime"),
    version=1,
    run=run,
    on_host=True,
    threaded=True,
    guess=lambda section, read: read,  # one package at a time
    holds=0.5,
)
