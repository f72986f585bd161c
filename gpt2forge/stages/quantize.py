"""quantize: store the weights in 32, 8 or 4 bits, keys and values in 32 or 8, and write the published directory."""

import json
import os
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.quantize.scheme import CHANNEL
from gpt2forge.stages.quantization import SATURATION, Quantization, reads_statistics
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

SHARES = {"none": 1.0, "int8": 0.26, "int4": 0.15, "float16": 0.5}
"""About how many bytes are left of one, scales among them."""

COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


def run(inputs: Inputs, section: Quantization, target: Target, out: Path) -> Metrics:
    """Write the package of `weights` and `graph`: the model, the tokenizer's files, genai_config.json and forge.json.

    An int8 cache has scales from `statistics`. Raises UserError when a weight was to be quantized and was not, when
    bytes are stored twice, when attention that is not fused is to have an int8 cache, or when `granularity: channel` is
    asked for a machine that may lack VNNI.
    """
    # Before numpy is loaded: slices keep the processors busy, and beside other programs OpenBLAS's own threads mostly
    # wait for each other: GPTQ took five to nine times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from gpt2forge.graph.interface import extends_in_place
    from gpt2forge.graph.model_file import read_graph
    from gpt2forge.quantize.audit import audit_package
    from gpt2forge.quantize.data_file import find_weights
    from gpt2forge.quantize.fit import Fit
    from gpt2forge.quantize.kv_cache import Magnitudes, quantize_cache
    from gpt2forge.quantize.quantize_model import quantize_model
    from gpt2forge.quantize.scheme import make_scheme
    from gpt2forge.quantize.statistics import list_cache_magnitudes, open_statistics

    if CHANNEL in section.granularities and target.cpu != "vnni":
        raise UserError(f"`quantization.granularity: channel` needs `target.cpu: vnni`: {SATURATION}")
    overrides = {pattern: (own.bits, own.granularity) for pattern, own in (section.overrides or {}).items()}
    scheme = make_scheme(
        *(section.scheme, section.granularity, section.embeddings or "none", section.embeddings_granularity),
        *(section.positions or "float32", overrides, section.skip or ()),
    )
    weights = inputs["weights"]
    model = read_graph(inputs["graph"])
    sources = find_weights(model.graph)
    statistics = open_statistics(inputs["statistics"]) if reads_statistics(section) else {}
    if section.kv_cache == "int8":
        quantize_cache(model, [Magnitudes(*found) for found in list_cache_magnitudes(statistics)])
    fit = Fit(statistics, section.smooth, section.method == "gptq")
    rows = quantize_model(model, weights, scheme, out, inputs.advance, fit)
    audit_package(out, scheme, sources, weights)
    write_texts(weights, out, extends_in_place(model.graph), target.device)
    write_json(out / "forge.json", {"tensors": [row.to_json() for row in rows]})
    float32 = sum(4 * row.weights for row in rows)
    return {"bytes": {"package": sum(path.stat().st_size for path in out.iterdir()), "float32": float32}}


def write_texts(weights: Path, out: Path, in_place: bool, device: str) -> None:
    """Copy what other tools read beside the model, and write what onnxruntime-genai reads."""
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.quantize.genai import make_genai_config

    for name in COPIED:
        if (weights / name).is_file():
            (out / name).write_bytes((weights / name).read_bytes())
    config = read_config(weights)
    begin = config.eos_token_id if config.bos_token_id is None else config.bos_token_id
    write_json(out / "genai_config.json", make_genai_config(config, begin, config.eos_token_id, in_place, device))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


STAGE = Stage(
    name="quantize",
    section="quantization",
    target=("device", "cpu"),
    reads=("weights", "graph"),
    also_reads=lambda section: ("statistics",) if reads_statistics(section) else (),
    writes="package",
    tools=("numpy", "onnx", "onnx-ir"),
    version=1,
    run=run,
    guess=lambda section, read: SHARES[section.scheme] * read,
    holds=0.5,
)
