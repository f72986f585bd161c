"""The processor: which integer instructions it has, and which recipes suit them."""

from collections.abc import Collection

from gpt2forge.doctor.examination import Examination
from gpt2forge.measure.host import describe_host, read_cpuinfo

VNNI = {"avx512_vnni": "VNNI (512 bits)", "avx_vnni": "VNNI (256 bits)", "asimddp": "dot products of 8 bits"}
AMX = {"amx_int8": "AMX for int8", "amx_bf16": "AMX for bfloat16", "i8mm": "matrix products of int8"}
WIDTHS = ("avx512f", "avx2", "avx", "asimd")
"""The flags of Linux, with what they are called. ARM's integer products never saturate."""

SUITED = (
    "products of int8 are exact here: `extends: gpt2forge/vnni` with `quantization: {scheme: int8, granularity: "
    "channel}` is fastest for long prompts; `gpt2forge/cpu` with `scheme: int8` is nearest to float32"
)
UNSUITED = (
    "products of int8 saturate here: keep to `extends: gpt2forge/cpu`; `quantization: {scheme: int8, granularity: "
    "channel}` then has 7 bits, and blocks of 128, the default of int8, are nearer to float32"
)
OLD = "there is no AVX2: products are several times slower than on processors since 2013 (Intel) or 2015 (AMD)"


def examine_processor() -> Examination:
    """Describe the processor, and try a product of the largest integers."""
    from gpt2forge.runtime.session import saturates  # it imports onnxruntime

    return describe_processor(read_flags(), saturates())


def read_flags() -> set[str]:
    """Return the flags of the first processor, as Linux names them; empty elsewhere."""
    facts = read_cpuinfo()
    return set(facts.get("flags", facts.get("Features", "")).split())


def describe_processor(flags: Collection[str], is_saturating: bool) -> Examination:
    """Return the examination of a processor with these flags."""
    named = [word for flag, word in {**VNNI, **AMX}.items() if flag in flags]
    width = next((flag for flag in WIDTHS if flag in flags), None)
    host = describe_host()
    values = {
        "processor": host["processor"],
        "system": host["system"],
        "vectors": width,
        "vnni": any(flag in flags for flag in VNNI),
        "amx": "amx_int8" in flags,
        "int8_products_saturate": is_saturating,
    }
    has = ", ".join([*([width.upper()] if width else []), *named]) or "no known vector instructions"
    advice = [UNSUITED if is_saturating else SUITED]
    is_old = "avx" in flags and "avx2" not in flags
    return Examination("processor", values, f"{values['processor']}: {has}", advice=(*advice, *([OLD] * is_old)))
