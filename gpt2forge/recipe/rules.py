"""Rules that no section can check alone, because they compare several."""

from collections.abc import Iterator
from typing import Any

from gpt2forge.recipe.faults import show
from gpt2forge.recipe.schema import Loc
from gpt2forge.stages.quantization import FITTED, FLOATS, SATURATION


def judge(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What no section can say alone, of a document that may have other faults too."""
    quantization, target = plain.get("quantization"), plain.get("target")
    yield from judge_device(plain)
    if not (isinstance(target, dict) and target.get("cpu") == "vnni"):
        for loc in list_channels(quantization):
            yield loc, f"`granularity: channel` needs `target.cpu: vnni`: {SATURATION}"
    yield from judge_calibration(plain)
    if not is_for_gpu(plain):
        yield from judge_cache(quantization, plain.get("fusion"))
    if plain.get("name") in (".", "..") or str(plain.get("name")).endswith(".json"):
        yield (("name",), f"`name: {plain['name']}` would take the place of something else in `build/`")


def judge_device(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What a GPU takes, and what is for nothing else."""
    target, quantization, fusion = (
        said if isinstance(said := plain.get(name), dict) else {} for name in ("target", "quantization", "fusion")
    )
    is_half = quantization.get("scheme") == "float16"
    if target.get("device") == "cpu" and is_half:
        need = "needs `target.device: cuda`: a CPU casts every weight to float32 whenever it is used"
        yield ("quantization", "scheme"), f"`scheme: float16` {need}"
    if not is_for_gpu(plain):
        return
    for key in ("scheme", "kv_cache", *(() if is_half else ("embeddings",))):  # those the section itself refuses
        if quantization.get(key) in ("int8", "int4"):
            fix = "use `scheme: float16`" if key == "scheme" else "remove it"
            yield ("quantization", key), f"`{key}: {quantization[key]}` is for `target.device: cpu`; {fix}"
    if fusion.get("attention") is not False and isinstance(plain.get("fusion", {}), dict):
        refused = "ONNX Runtime's CUDA kernel refuses the bias that a left-padded batch needs"
        yield ("fusion", "attention"), f"`target.device: cuda` needs `fusion.attention: false`: {refused}"
    if target.get("cpu") == "vnni":
        yield ("target", "cpu"), "`cpu: vnni` means nothing where `device` is `cuda`; remove it"
    if plain.get("benchmark") is not None:
        yield ("benchmark",), "`benchmark` measures on the CPU, and `target.device` is `cuda`; remove it"


def is_for_gpu(plain: dict[str, Any]) -> bool:
    target = plain.get("target")
    return isinstance(target, dict) and target.get("device") == "cuda"


def judge_calibration(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What is fitted to a text needs one, and is not judged by the same."""
    quantization, calibration, verify = (plain.get(name) for name in ("quantization", "calibration", "verify"))
    said = quantization if isinstance(quantization, dict) else {}
    refused = {"method", "smooth"} if said.get("scheme") in FLOATS else set()  # by the section itself
    refused |= {"kv_cache"} if is_for_gpu(plain) else set()
    fitted = {key: value for key, value in FITTED.items() if said.get(key) == value and key not in refused}
    if calibration is None:
        for key, value in fitted.items():
            need = "needs `calibration:` with a `text` like what the model is for"
            yield ("quantization", key), f"`{key}: {show(value)}` {need}"
    elif (
        fitted
        and isinstance(calibration, dict)
        and isinstance(verify, dict)
        and calibration.get("text") == verify.get("text")
    ):
        told = "is `verify.text` too, and what was fitted to a text is not judged by it; name another"
        yield ("calibration", "text"), f"`calibration.text: {calibration.get('text')}` {told}"


def judge_cache(quantization: Any, fusion: Any) -> Iterator[tuple[Loc, str]]:
    """An int8 cache is the fused operator's."""
    asked = isinstance(quantization, dict) and quantization.get("kv_cache") == "int8"
    if asked and isinstance(fusion, dict) and fusion.get("attention") is False:
        need = "needs `fusion.attention: true`: standard operators have no such cache"
        yield ("quantization", "kv_cache"), f"`kv_cache: int8` {need}"


def list_channels(quantization: Any) -> Iterator[Loc]:
    """Where one scale per channel is asked for."""
    said = quantization if isinstance(quantization, dict) else {}
    if said.get("scheme") in FLOATS:  # the section itself refuses them
        return
    overrides = said.get("overrides")
    places: dict[Loc, Any] = {("quantization",): said}
    if isinstance(overrides, dict):
        places |= {("quantization", "overrides", pattern): own for pattern, own in overrides.items()}
    for loc, own in places.items():
        if isinstance(own, dict) and own.get("granularity") == "channel":
            yield (*loc, "granularity")
