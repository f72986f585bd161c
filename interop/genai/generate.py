"""Runs onnxruntime-genai: reads a request on standard input, writes the tokens of each package."""

import json
import sys
from typing import Any

import onnxruntime_genai as og


def generate(model: og.Model, ids: Any, rows: int, longest: int, new: int | None) -> list[list[int]]:
    """Return `new` tokens after each row, the likeliest each time; all rows are `longest` tokens long.

    Without `new`, the package says how tokens are chosen, and the context how many there are.
    """
    parameters = og.GeneratorParams(model)
    options = {} if new is None else {"max_length": longest + new, "do_sample": False}
    parameters.set_search_options(batch_size=rows, **options)
    generator = og.Generator(model, parameters)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    return [generator.get_sequence(row)[longest:].tolist() for row in range(rows)]


def answer(folder: str, prompts: list[str], new: int | None) -> dict[str, Any]:
    model = og.Model(folder)
    tokenizer = og.Tokenizer(model)
    ids = [tokenizer.encode(text) for text in prompts]
    alone = [generate(model, row, 1, len(row), new)[0] for row in ids]
    together = tokenizer.encode_batch(prompts)  # pads to the longest prompt
    batch = generate(model, together, len(prompts), together.shape()[1], new)
    return {"ids": [row.tolist() for row in ids], "alone": alone, "batch": batch}


request = json.load(sys.stdin)
print(json.dumps([answer(folder, request["prompts"], request["new"]) for folder in request["folders"]]))
