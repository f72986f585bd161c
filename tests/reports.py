"""A report with every part, for tests that need no build."""

import copy
from typing import Any

from gpt2forge.builder.report import Report

STATISTICS = {
    "perplexity": 55.6,
    "perplexity_reference": 55.0,
    "perplexity_increase": 0.011,
    "kl_mean": 0.0154,
    "kl_median": 0.012,
    "kl_p99": 0.0728,
    "kl_mean_least": 0.0138,
    "top1_agreement": 0.905,
}
PROPERTIES = {
    "steps_equal_pass": 0.002,
    "shared_equals_copied": None,
    "padded_equals_alone": 0.001,
    "batch_equals_single": 0.0,
}
TIMES = {
    "bandwidth_gb_s": 12.0,
    "prefill_ms": 4.0,
    "token_ms": 2.0,
    "prefill_ms_reference": 8.0,
    "token_ms_reference": 5.0,
}
HOST = {
    "processor": "a processor",
    "instructions": ["avx2", "fma"],
    "threads": 2,
    "system": "Linux x86_64",
}
PROMPTS = [{"difference": 0.0005, "tokens": [15]}, {"difference": 0.002, "tokens": [15, 333]}]

STEPS: list[dict[str, Any]] = [
    {
        "stage": stage,
        "outcome": outcome,
        "reason": reason,
        "key": digit * 64 if digit else None,
        "digest": digit * 64 if digit else None,
        "seconds": 1.5,
        "peak_memory_bytes": 1000,
    }
    for stage, outcome, reason, digit in (
        ("convert", "reused", "", "a"),
        ("quantize", "built", "`quantization.scheme` changed", "b"),
        ("verify", "skipped", "left out by `--skip`", ""),
    )
]

COMPLETE: dict[str, Any] = {
    "version": 1,
    "recipe": "nano",
    "output": "build/nano",
    "error": None,
    "warnings": ["the text is short"],
    "values": {
        "name": "nano",
        "quantization": {"scheme": "int8", "embeddings": "int8"},
        "verify": {"max_kl": None},
        "benchmark": {"rounds": 3},
    },
    "steps": STEPS,
    "source": None,
    "bytes": {"package": 1_419_030, "float32": 5_401_600},
    "text": {"bytes": 6000, "zlib_bytes": 2000, "vocabulary": 4096},
    "verify": {
        **STATISTICS,
        "intervals": {name: [value / 2, value * 2] for name, value in STATISTICS.items()},
        "kl_windows": [0.0124, 0.0134, 0.0144, 0.0154, 0.0154, 0.0164, 0.0174, 0.0184],
        "positions": 2040,
        "windows": 8,
        "tokens": 2048,
        "window": 256,
        "stride": 256,
        "properties": PROPERTIES,
        "text_digest": "c" * 64,
        "host": HOST,
        "prompts": {name: None if value is None else PROMPTS for name, value in PROPERTIES.items()},
    },
    "benchmark": {
        **TIMES,
        "load_s": 0.05,
        "load_s_reference": 0.2,
        "peak_memory_bytes": 20_000_000,
        "mapped_memory_bytes": 2_000_000,
        "peak_memory_bytes_reference": 300_000_000,
        "mapped_memory_bytes_reference": 90_000_000,
        "bandwidth_limit_ms": 0.1,
        "bandwidth_limit_share": 0.05,
        "spread": {name: [value * 0.9, value * 1.1] for name, value in TIMES.items()},
        "rounds": 3,
        "noise": [],
        "host": HOST,
    },
}
"""A report as `build/NAME.json` holds it, each part in the order in which it is written."""


def change_report(**changes: Any) -> dict[str, Any]:
    """Return the complete report with other values; a key names its parts with `__` between them."""
    changed = copy.deepcopy(COMPLETE)
    for key, value in changes.items():
        *parts, last = key.split("__")
        place = changed
        for part in parts:
            place = place[part]
        place[last] = value
    return changed


def make_report(**changes: Any) -> Report:
    """Return the complete report with other values, as `change_report` does."""
    return Report.from_json(change_report(**changes))
