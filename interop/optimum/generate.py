"""Runs Optimum's ORTModelForCausalLM: reads a request on standard input, writes the tokens of each package."""

import json
import sys
from typing import Any

from optimum.onnxruntime import ORTModelForCausalLM
from transformers import AutoTokenizer


def answer(folder: str, prompts: list[str], new: int) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = ORTModelForCausalLM.from_pretrained(folder)

    def generate(texts: list[str]) -> list[list[int]]:
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        outputs = model.generate(**inputs, max_new_tokens=new, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        return outputs[:, inputs["input_ids"].shape[1] :].tolist()

    ids = [tokenizer(text)["input_ids"] for text in prompts]
    return {"ids": ids, "alone": [generate([text])[0] for text in prompts], "batch": generate(prompts)}


request = json.load(sys.stdin)
print(json.dumps([answer(folder, request["prompts"], request["new"]) for folder in request["folders"]]))
