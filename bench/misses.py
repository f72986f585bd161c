"""Says why goals are missed, in the words of docs/benchmarks.md."""

import re
from collections.abc import Mapping
from typing import Any

KERNELS = "[kernels.md](kernels.md#what-kernels-could-do)"
PERFORMANCE = "[performance.md](performance.md#a-token-and-the-memory-behind-it)"
BLOCKS = r"ours, int[48] blocks of \d+"

REASONS: Mapping[str, str] = {
    r"cold build of 774m-cpu-int8 .*": "not known: it took 11 s in another run on the same machine and day",
    r"a token, .* of PyTorch fp32": f"both read all weights: 8 bits are 0.26 of float32, 4 bits 0.15 ({PERFORMANCE})",
    r"a token, .* of CTranslate2 int8": (
        f"ours cannot be faster than memory; where that is fast, it is 0.25 ({PERFORMANCE})"
    ),
    r"a token, .* of Optimum .*": f"the operator for one row: {KERNELS}",
    r"a token, .* of llama\.cpp .*": f"the operator for one row: {KERNELS}",
    r"the memory's limit, .*": f"the operator for one row: {KERNELS}",
    rf"\d+ tokens, {BLOCKS}.*": f"the operator for many rows: {KERNELS}",
    r"1000 tokens, ours, int8 per channel.* of OpenVINO int8": "its attention is in bfloat16, ours in float32",
    r"64 tokens, ours, int8 per channel.* of llama\.cpp .*": (
        "the goal is from its generic wheel, without these kernels"
    ),
    r"64 tokens, ours, int8 per channel.* of Optimum .*": (
        "all rows of its activations share one scale, which saves 4 % and makes a row depend on its neighbours"
    ),
    r"64 tokens, ours, int8 per channel.* of PyTorch fp32": "PyTorch's products are oneDNN's",
    r"tokens/s of 16 texts, .* of CTranslate2 int8": "its products are oneDNN's, in AMX where the processor has it",
    r"a token behind 1000, .* of one behind 64": (
        "float32 keys and values of 1000 tokens are 0.47 of the weights' bytes; int8 ones are a quarter of that"
    ),
    r"KL divergence, ours, int8 blocks of 128, fitted of .*": "the rounding of activations in blocks of that length",
    r"perplexity, ours, int8 .*": "the KL, and chance in this text ([recipes.md](recipes.md#calibration))",
    r"tokens/s of 16 whole texts, .*": "the fastest other is genai with our package, in the same operators",
    r"guesses where a text repeats its prompt, .*": (
        "nano seldom copies its prompt: 1.9 tokens a pass at most, and a pass over several takes longer"
    ),
    r"`make bench`, .*": "one more form of ours at 774M, 1.2 minutes, and a slower machine than at 23 minutes",
    r"nothing to do, gpt2forge plan, edited .*": "starting Python and reading the recipe's model take nearly all of it",
}
"""Reasons by the pattern of a goal and what it is a part of; the first that matches holds."""

UNKNOWN = "not known"


def explain(goal: Mapping[str, Any]) -> str:
    """Return why a goal is missed; nothing for one that is reached."""
    if goal["reached"]:
        return ""
    named = f"{goal['what']} {goal['unit']}"
    return next((reason for pattern, reason in REASONS.items() if re.fullmatch(pattern, named)), UNKNOWN)
