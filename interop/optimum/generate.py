"""Runs Optimum's ORTModelForCausalLM: reads a request on standard input, writes the tokens of each package.

Without a number of new tokens, the package says how tokens are chosen and how many.

Optimum copies inputs and outputs on a CPU, and allocates and binds them on CUDA; both ways must write the same tokens.
"""

import json
import sys
from typing import Any

from optimum.onnxruntime import ORTModelForCausalLM
from transformers import AutoTokenizer


def answer(folder: str, prompts: list[str], new: int | None, use_io_binding: bool) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = ORTModelForCausalLM.from_pretrained(folder, use_io_binding=use_io_binding)
    options = {} if new is None else {"max_new_tokens": new, "do_sample": False}

    def generate(texts: list[str]) -> list[list[int]]:
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        outputs = model.generate(**inputs, **options, pad_token_id=tokenizer.pad_token_id)
        return outputs[:, inputs["input_ids"].shape[1] :].tolist()

    ids = [tokenizer(text)["input_ids"] for text in prompts]
    return {"ids": ids, "alone": [generate([text])[0] for text in prompts], "batch": generate(prompts)}


request = json.load(sys.stdin)
copied, bound = (
    [answer(folder, request["prompts"], request["new"], way) for folder in request["folders"]] for way in (False, True)
)
assert bound == copied, "tokens differ if inputs and outputs are bound"
print(json.dumps(bound))
