"""Runs plain onnxruntime: reads a request on standard input, writes the tokens of each package."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

Array = np.ndarray[Any, Any]
TYPES = {"tensor(float)": np.float32, "tensor(int8)": np.int8}


def open_session(folder: str) -> ort.InferenceSession:
    return ort.InferenceSession(Path(folder) / "model.onnx", providers=["CPUExecutionProvider"])


def generate(session: ort.InferenceSession, rows: list[list[int]], new: int) -> list[list[int]]:
    """Pad the rows on the left to one length, (B, S), and generate `new` tokens after each, the likeliest each time."""
    longest = max(map(len, rows))
    ids = np.array([[0] * (longest - len(row)) + row for row in rows])
    mask = np.array([[0] * (longest - len(row)) + [1] * len(row) for row in rows])  # (B, T)
    past = {
        value.name: np.zeros((len(rows), value.shape[1], 0, value.shape[3]), TYPES[value.type])
        for value in session.get_inputs()
        if value.name.startswith("past_key_values.")
    }
    names = ["logits", *(name.replace("past_key_values", "present") for name in past)]
    tokens = []
    for _ in range(new):
        positions = np.maximum(mask.cumsum(1) - 1, 0)[:, -ids.shape[1] :]
        feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        logits, *presents = session.run(names, feeds | past)
        past = dict(zip(past, presents, strict=True))
        ids = logits[:, -1].argmax(1)[:, None]
        mask = np.concatenate([mask, np.ones_like(ids)], 1)
        tokens.append(ids)
    return np.concatenate(tokens, 1).tolist()


def answer(folder: str, prompts: list[str], new: int) -> dict[str, Any]:
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    session = open_session(folder)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(prompts)]
    alone = [generate(session, [row], new)[0] for row in ids]
    return {"ids": ids, "alone": alone, "batch": generate(session, ids, new)}


request = json.load(sys.stdin)
print(json.dumps([answer(folder, request["prompts"], request["new"]) for folder in request["folders"]]))
