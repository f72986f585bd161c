"""form_memory: measure the memory that a session holds for each form of each shape of weights on this machine.

`tune` runs this stage once for a machine. No build has it.
"""

import json
from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `memory.json`: anonymous bytes by kind of weight and form."""
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.measure.form_memory import count_stored, measure_in
    from gpt2forge.measure.products import list_shapes
    from gpt2forge.quantize.forms import LINEAR_FORMS, list_forms, name_form

    measured: dict[str, float] = {}
    for number, form in enumerate((*LINEAR_FORMS, None)):
        inputs.advance(number, 1 + len(LINEAR_FORMS), "forms")
        measured[name_form(form)] = measure_in(out, form)
    found: dict[str, dict[str, float]] = {}
    for kind, shape in list_shapes(read_config(inputs["weights"])).items():
        forms = {name_form(form): form for form in (*list_forms(kind, shape[0]), None)}
        found[kind] = {name: measured[name] * count_stored(shape, form) for name, form in forms.items()}
    (out / "memory.json").write_text(json.dumps(found, indent=1) + "\n")
    return {"costs": found}


STAGE = Stage(
    name="form_memory",
    section=None,
    target=(),
    reads=("weights",),
    writes="costs",
    tools=("numpy", "onnx-ir", "onnxruntime"),
    version=1,
    run=run,
    on_host=True,
    holds=0.5,
)
