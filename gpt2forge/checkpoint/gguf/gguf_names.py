"""llama.cpp's names of a GPT-2's tensors, and transformers' names of them (MODEL_TENSORS of the package gguf).

llama.cpp holds a linear layer's weights as (out, in), GPT-2 of transformers as (in, out).
"""

import re

from gpt2forge.checkpoint.names import HEAD

OUTSIDE = {"token_embd": "wte", "position_embd": "wpe", "output_norm": "ln_f"}
NORMS = {"attn_norm": "ln_1", "ffn_norm": "ln_2"}
LINEAR = {"attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
LAYER = re.compile(r"blk\.(\d{1,9})\.(\w+)\.(weight|bias)", re.ASCII)


def translate_name(name: str) -> str:
    """Return transformers' name of a tensor; a name that llama.cpp's GPT-2 does not have stays as it is."""
    stem, _, kind = name.rpartition(".")
    if name == "output.weight":
        return HEAD
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.{kind}"
    match = LAYER.fullmatch(name)
    inside = {**NORMS, **LINEAR}.get(match[2]) if match else None
    return f"h.{match[1]}.{inside}.{match[3]}" if match and inside else name


def is_transposed(name: str) -> bool:
    """Return whether a tensor holds a linear layer's weights."""
    match = LAYER.fullmatch(name)
    return bool(match) and match is not None and match[2] in LINEAR and match[3] == "weight"
