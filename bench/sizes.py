"""How large each variant is: its graph with its weights, and the whole directory."""

from typing import Any

from bench.plan import VARIANTS, Plan


def measure_sizes(plan: Plan) -> dict[str, Any]:
    """Bytes and shares of float32 (4 bytes a parameter) of every variant, which must be built."""
    sizes = {}
    for variant in VARIANTS:
        files = {path.name: path.stat().st_size for path in plan.output(variant).iterdir() if path.is_file()}
        model = files["model.onnx"] + files["model.onnx_data"]
        sizes[variant] = {
            "model_bytes": model,
            "package_bytes": sum(files.values()),
            "model_share": model / plan.float32_bytes,
            "package_share": sum(files.values()) / plan.float32_bytes,
        }
    return sizes
