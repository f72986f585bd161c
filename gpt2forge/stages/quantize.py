"""quantize: store the weights in 32, 16, 8 or 4 bits, keys and values in 32 or 8, and write the published directory."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from gpt2forge.quantize.scheme import Scheme, make_scheme
from gpt2forge.quantize.scheme_table import CHANNEL_BITS, SCHEMES
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


FITTED = {"method": "gptq", "smooth": True, "kv_cache": "int8"}
"""The keys that need a calibration text, each with the value that does."""


class Storages(Protocol):
    """The words of `quantization:` with all defaults filled in; `overrides` has {"bits", "granularity"} by pattern."""

    @property
    def scheme(self) -> str: ...

    @property
    def granularity(self) -> int | str | None: ...

    @property
    def method(self) -> str: ...

    @property
    def smooth(self) -> bool: ...

    @property
    def embeddings(self) -> str: ...

    @property
    def kv_cache(self) -> str: ...

    @property
    def embeddings_granularity(self) -> int | None: ...

    @property
    def few_rows(self) -> str: ...

    @property
    def positions(self) -> str: ...

    @property
    def overrides(self) -> Mapping[str, Mapping[str, Any]] | None: ...

    @property
    def skip(self) -> Sequence[str] | None: ...


def reads_statistics(section: Any) -> bool:
    """Return whether the section asks for something that is fitted to a calibration text."""
    return any(getattr(section, key) == value for key, value in FITTED.items())


def resolve_scheme(section: Storages, cpu: str) -> Scheme:
    """Return the storage of every weight for a `target.cpu`."""
    return make_scheme(
        scheme=section.scheme,
        granularity=section.granularity,
        embeddings=section.embeddings,
        embeddings_granularity=section.embeddings_granularity,
        positions=section.positions,
        overrides={pattern: (own["bits"], own["granularity"]) for pattern, own in (section.overrides or {}).items()},
        skip=section.skip or (),
        channel_bits=CHANNEL_BITS[cpu],
        few_rows=section.few_rows,
    )


def run(inputs: Inputs, section: Storages, target: Target, out: Path) -> Metrics:
    """Write the package of `weights` and `graph`: the model, the tokenizer's files, genai_config.json and forge.json.

    The scales of an int8 cache come from `statistics`. Raises UserError when a weight that should be quantized is not,
    when bytes are stored twice, or when an int8 cache is asked of attention that is not fused.
    """
    # Set before numpy is loaded. Slices of weights already keep all processors busy, and beside other programs
    # OpenBLAS's own threads mostly wait for each other: GPTQ took five to nine times as long. And their number would
    # change the result.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

    from gpt2forge.graph.interface import extends_in_place
    from gpt2forge.graph.model_file import read_graph
    from gpt2forge.quantize.audit import audit_package
    from gpt2forge.quantize.data_file import find_weights
    from gpt2forge.quantize.find_floor import find_floor
    from gpt2forge.quantize.fit import Fit
    from gpt2forge.quantize.floors import show_version
    from gpt2forge.quantize.kv_cache import Magnitudes, quantize_cache
    from gpt2forge.quantize.quantize_model import quantize_model
    from gpt2forge.quantize.statistics import list_cache_magnitudes, open_statistics

    scheme = resolve_scheme(section, target.cpu)
    weights = inputs["weights"]
    model = read_graph(inputs["graph"])
    sources = find_weights(model.graph)
    statistics = open_statistics(inputs["statistics"]) if reads_statistics(section) else {}
    if section.kv_cache == "int8":
        quantize_cache(model, [Magnitudes(*found) for found in list_cache_magnitudes(statistics)])
    fit = Fit(statistics, section.smooth, section.method == "gptq")
    rows = quantize_model(model, weights, scheme, out, inputs.advance, fit)
    audit_package(out, scheme, sources, weights)
    notes = write_texts(weights, out, extends_in_place(model.graph), target.device)
    floor = {"oldest_onnxruntime": show_version(find_floor(model.graph))} if target.device == "cpu" else {}
    write_json(out / "forge.json", {"tensors": [row.to_json() for row in rows], **floor})
    float32 = sum(4 * row.weights for row in rows)
    package = sum(path.stat().st_size for path in out.iterdir())
    return {"bytes": {"package": package, "float32": float32}, **({"notes": notes} if notes else {})}


def write_texts(weights: Path, out: Path, in_place: bool, device: str) -> list[str]:
    """Copy the files that other tools read beside the model, and write the one that onnxruntime-genai reads.

    Return what a user should know, a sentence each.
    """
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.checkpoint.untrusted_text import read_object
    from gpt2forge.quantize.genai import list_notes, make_genai_config

    for name in COPIED:
        if (weights / name).is_file():
            (out / name).write_bytes((weights / name).read_bytes())
    config, generation = read_config(weights), read_object(weights / "generation_config.json")
    write_json(out / "genai_config.json", make_genai_config(config, generation, in_place, device))
    return list_notes(config)


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
    by_processor=reads_statistics,  # products of matrices
    guess=lambda section, read: SCHEMES[section.scheme].share * read,
    holds=0.5,
)
