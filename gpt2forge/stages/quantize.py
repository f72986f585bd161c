"""quantize: store the weights in 32, 8 or 4 bits, keys and values in 32 or 8, and write the published directory."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from gpt2forge.errors import UserError
from gpt2forge.stage import Inputs, Metrics, Section, Stage, Target

Embeddings = Literal["none", "int8", "int4"]
Granularity = Literal[16, 32, 64, 128, 256, "channel"]
Cache = Literal["float32", "int8"]

BLOCKS: dict[str, Granularity] = {"int8": 128, "int4": 32}
"""How many weights share a scale where the recipe does not say."""

SHARES = {"none": 1.0, "int8": 0.26, "int4": 0.15}
"""About how many bytes are left of one, scales among them."""

SATURATION = (
    "x86 without VNNI adds products of uint8 and int8 in 16 bits, which is too little (nano's KL to float32 rose from "
    "0.0014 to 0.011, and its likeliest token changed at 6 % of positions); use blocks, for example `granularity: 128`"
)
"""Why one scale per channel is not for every processor; interop/test_older_cpu.py measures it."""

COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


class Quantization(Section):
    """`quantization:`, how weights are stored; what is not given is filled in, so that one meaning has one key."""

    scheme: Literal["none", "int8", "int4"] = Field(
        default="none", description="how the weights of the linear layers are stored"
    )
    granularity: Granularity | None = Field(
        default=None,
        validate_default=True,
        description="how many weights share a scale (int8: 128, int4: 32), or `channel`: int8 with integer arithmetic",
    )
    method: Literal["nearest", "gptq"] = Field(
        default="nearest",
        description="how weights in blocks are rounded: each to the nearest step, or so that errors cancel on the text "
        "of `calibration`",
    )
    embeddings: Embeddings | None = Field(
        default=None,
        validate_default=True,
        description="how the token embedding and LM head are stored: int8 where `scheme` is not none",
    )
    kv_cache: Cache = Field(
        default="float32", description="how the keys and values of the tokens so far are kept; int8 needs `calibration`"
    )

    @field_validator("granularity")
    @classmethod
    def fill_granularity(cls, granularity: Granularity | None, info: ValidationInfo) -> Granularity | None:
        scheme = info.data.get("scheme", "none")
        if granularity is None:
            return BLOCKS.get(scheme)
        if scheme == "none" and "scheme" in info.data:
            raise ValueError("means nothing where `scheme` is `none`; remove it")
        if granularity == "channel" and scheme != "int8":
            raise ValueError("needs `scheme: int8`; use 16, 32, 64, 128 or 256")
        return granularity

    @field_validator("method")
    @classmethod
    def check_method(cls, method: str, info: ValidationInfo) -> str:
        if method == "gptq" and "granularity" in info.data and not isinstance(info.data["granularity"], int):
            raise ValueError("needs blocks: a `scheme` of int8 or int4, and a `granularity` that is a number")
        return method

    @field_validator("embeddings")
    @classmethod
    def fill_embeddings(cls, embeddings: Embeddings | None, info: ValidationInfo) -> Embeddings:
        if embeddings is not None:
            return embeddings
        return "none" if info.data.get("scheme", "none") == "none" else "int8"


def reads_statistics(section: Quantization) -> bool:
    return section.method == "gptq" or section.kv_cache == "int8"


def run(inputs: Inputs, section: Quantization, target: Target, out: Path) -> Metrics:
    """Write the package of `weights` and `graph`: the model, the tokenizer's files, genai_config.json and forge.json.

    An int8 cache has scales from `statistics`. Raises UserError when a weight was to be quantized and was not, when
    bytes are stored twice, when attention that is not fused is to have an int8 cache, or when `granularity: channel` is
    asked for a machine that may lack VNNI.
    """
    from gpt2forge.graph.audit import audit_package
    from gpt2forge.graph.cache import extends_in_place
    from gpt2forge.graph.files import read_graph
    from gpt2forge.graph.package import find_weights
    from gpt2forge.graph.quantize.cache import Magnitudes, quantize_cache
    from gpt2forge.graph.quantize.model import quantize_model
    from gpt2forge.graph.quantize.scheme import make_scheme
    from gpt2forge.model.statistics import list_cache_magnitudes, open_statistics

    if section.granularity == "channel" and target.cpu != "vnni":
        raise UserError(f"`quantization.granularity: channel` needs `target.cpu: vnni`: {SATURATION}")
    scheme = make_scheme(section.scheme, section.granularity, section.embeddings or "none")
    weights = inputs["weights"]
    model = read_graph(inputs["graph"])
    sources = find_weights(model.graph)
    statistics = open_statistics(inputs["statistics"]) if reads_statistics(section) else {}
    if section.kv_cache == "int8":
        quantize_cache(model, [Magnitudes(*found) for found in list_cache_magnitudes(statistics)])
    fitted = statistics if section.method == "gptq" else {}
    rows = quantize_model(model, weights, scheme, out, inputs.advance, fitted)
    audit_package(out, scheme, sources, weights)
    write_texts(weights, out, extends_in_place(model.graph))
    write_json(out / "forge.json", {"tensors": [row.to_json() for row in rows]})
    float32 = sum(4 * row.weights for row in rows)
    return {"bytes": {"package": sum(path.stat().st_size for path in out.iterdir()), "float32": float32}}


def write_texts(weights: Path, out: Path, in_place: bool) -> None:
    """Copy what other tools read beside the model, and write what onnxruntime-genai reads."""
    from gpt2forge.graph.genai import make_genai_config
    from gpt2forge.model.config import read_config

    for name in COPIED:
        if (weights / name).is_file():
            (out / name).write_bytes((weights / name).read_bytes())
    config = read_config(weights)
    begin = config.eos_token_id if config.bos_token_id is None else config.bos_token_id
    write_json(out / "genai_config.json", make_genai_config(config, begin, config.eos_token_id, in_place))


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
)
