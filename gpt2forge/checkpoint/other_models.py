"""Names models that a config.json describes and that are no GPT-2, or are quantized, with what to do instead."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

MODELS = {
    "bert": "BERT",
    "bloom": "BLOOM",
    "codegen": "CodeGen",
    "gemma": "Gemma",
    "gpt_bigcode": "GPTBigCode (StarCoder)",
    "gpt_neo": "GPT-Neo",
    "gpt_neox": "GPT-NeoX",
    "gptj": "GPT-J",
    "imagegpt": "ImageGPT",
    "llama": "Llama",
    "mistral": "Mistral",
    "mpt": "MPT",
    "openai-gpt": "the first GPT",
    "opt": "OPT",
    "phi": "Phi",
    "qwen2": "Qwen2",
    "t5": "T5",
}
"""Architectures that people take for a GPT-2, by their `model_type`."""

PAIRS = {
    "encoder-decoder": "an encoder and a decoder",
    "speech-encoder-decoder": "a speech encoder and a decoder",
    "vision-encoder-decoder": "an image encoder and a decoder",
}
METHODS = {"awq": "AWQ", "bitsandbytes": "bitsandbytes", "gptq": "GPTQ"}
"""Methods that quantize weights, by the `quant_method` that transformers writes."""

EXPORT = "`optimum-cli export onnx --model FOLDER OUT` may export it"


def refuse_other_models(values: Mapping[str, Any], path: Path) -> None:
    """Raise UserError if the config.json at `path` is of another architecture, or of quantized weights."""
    kind = values.get("model_type", "gpt2")
    if isinstance(kind, str) and kind in PAIRS:
        raise UserError(
            f"{path}: model_type is `{kind}`, {PAIRS[kind]} that depends on it; only a `gpt2` that stands alone can be "
            f"built; {EXPORT}"
        )
    if kind != "gpt2":
        name = MODELS.get(kind) if isinstance(kind, str) else None
        shown = f"model_type is {quote_untrusted(kind)}" + (f", {name}" if name else "")
        raise UserError(f"{path}: {shown}; only `gpt2` can be built; {EXPORT}")
    quantization = values.get("quantization_config")
    if quantization is not None:
        refuse_quantized(quantization, path)


def refuse_quantized(quantization: Any, path: Path) -> None:
    """Raise UserError for a `quantization_config` in the file at `path`, by the name of its method."""
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    name = METHODS.get(method, quote_untrusted(method)) if isinstance(method, str) else "an unknown method"
    raise UserError(
        f"{path}: the weights are quantized by {name}; start from the model before that, in float32, float16 or "
        "bfloat16: `quantization:` of the recipe quantizes it"
    )
