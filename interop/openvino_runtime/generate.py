"""Runs OpenVINO's runtime on model.onnx: reads a request on standard input, writes the tokens of each package."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

os.environ["CI"] = "true"  # read when openvino is imported: it sends no usage statistics from CI

import openvino as ov

PRECISION = {"EXECUTION_MODE_HINT": "ACCURACY"}  # float32; else bfloat16 if the processor has it, and int8 activations


class NoLogits(Exception):
    """A run ended without logits: so OpenVINO 2026.4 refuses a batch where it has one processor, without an error."""


def make_empty_cache(model: ov.CompiledModel, rows: int) -> dict[str, Any]:
    """Return keys and values of no tokens, (B, H, 0, W) for each layer."""
    inputs = [value for value in model.inputs if value.any_name.startswith("past_key_values.")]
    return {
        value.any_name: np.zeros(
            (rows, value.partial_shape[1].get_length(), 0, value.partial_shape[3].get_length()),
            value.element_type.to_dtype(),
        )
        for value in inputs
    }


def generate(model: ov.CompiledModel, rows: list[list[int]], new: int) -> list[list[int]]:
    """Pad the rows on the left to one length, (B, S), and generate `new` tokens after each, the likeliest each time."""
    longest = max(map(len, rows))
    ids = np.array([[0] * (longest - len(row)) + row for row in rows])
    mask = np.array([[0] * (longest - len(row)) + [1] * len(row) for row in rows])  # (B, T)
    request, past, tokens = model.create_infer_request(), make_empty_cache(model, len(rows)), []
    for _ in range(new):
        positions = np.maximum(mask.cumsum(1) - 1, 0)[:, -ids.shape[1] :]
        found = request.infer({"input_ids": ids, "attention_mask": mask, "position_ids": positions} | past)
        past = {name: found[name.replace("past_key_values", "present")] for name in past}
        if found["logits"].size == 0:
            raise NoLogits
        ids = found["logits"][:, -1].argmax(1)[:, None]
        mask = np.concatenate([mask, np.ones_like(ids)], 1)
        tokens.append(ids)
    return np.concatenate(tokens, 1).tolist()


def generate_if_taken(model: ov.CompiledModel, rows: list[list[int]], new: int) -> list[list[int]] | None:
    """Return the tokens after each row of a batch, or None if OpenVINO refuses the batch or returns nothing for it."""
    try:
        return generate(model, rows, new)
    except NoLogits:
        return None
    except RuntimeError as error:
        assert "conflicts with the reshape pattern (1)" in str(error), error
        return None


def answer(core: ov.Core, folder: str, prompts: list[str], new: int) -> dict[str, Any]:
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    model = core.compile_model(core.read_model(Path(folder) / "model.onnx"), "CPU", PRECISION)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(prompts)]
    alone = [generate(model, [row], new)[0] for row in ids]
    return {"ids": ids, "alone": alone, "batch": generate_if_taken(model, ids, new)}


request, core = json.load(sys.stdin), ov.Core()
print(json.dumps([answer(core, folder, request["prompts"], request["new"]) for folder in request["folders"]]))
