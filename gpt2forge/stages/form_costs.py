"""form_costs: measure what each form of each shape of weights costs in time on this machine.

`tune` runs this stage once for a machine. No build has it.
"""

import json
from pathlib import Path
from typing import Protocol

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


class RowsToTime(Protocol):
    """How many rows of activations the products of the layers, and that of the LM head, have."""

    @property
    def rows(self) -> int: ...

    @property
    def head_rows(self) -> int: ...


def run(inputs: Inputs, section: RowsToTime, target: Target, out: Path) -> Metrics:
    """Write `costs.json`: milliseconds of one product by kind of weight and form."""
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.measure.products import Products, list_shapes, time_products
    from gpt2forge.quantize.forms import TOKENS, list_forms, name_form

    config = read_config(inputs["weights"])
    work = [
        (kind, name_form(form), Products(*shape, form, 1 if kind == TOKENS else config.n_layer))
        for kind, shape in list_shapes(config).items()
        for form in (*list_forms(kind, shape[0]), None)
    ]
    found: dict[str, dict[str, float]] = {}
    for number, (kind, form, products) in enumerate(work):
        inputs.advance(number, len(work), "products")
        rows = section.head_rows if kind == TOKENS else section.rows
        found.setdefault(kind, {})[form] = time_products(products, rows, is_exact=target.cpu == "vnni")
    (out / "costs.json").write_text(json.dumps(found, indent=1) + "\n")
    return {"costs": found}


STAGE = Stage(
    name="form_costs",
    section="form_costs",
    target=("cpu",),
    reads=("weights",),
    writes="costs",
    tools=("numpy", "onnx-ir", "onnxruntime"),
    version=1,
    run=run,
    on_host=True,
    alone=True,
    holds=0.5,
)
