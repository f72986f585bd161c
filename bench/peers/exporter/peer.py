"""transformers' own exporter to ONNX (experimental): two float32 graphs, one for a prompt and one for what follows."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from transformers import GPT2LMHeadModel
from transformers.exporters.base import ExportedModel
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter

from bench.peers.stepwise import Array, Stepwise, count_files


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Export with the exporter's fusions for onnxruntime on CPU."""
    model: Any = GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32)
    ids = torch.arange(16).reshape(2, 8)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    exporter: Any = OnnxExporter  # which has no types
    exported = exporter().export_for_generation(model.eval(), inputs, OnnxConfig(dynamic=True, ort_fusions="cpu"))
    exported.save_pretrained(out / scheme)
    return out / scheme


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.read_bytes = count_files(path, "decode.onnx.data")
        self.runners = ExportedModel.from_pretrained(path, device="cpu", session_options=options).runners

    def begin(self, batch: int, capacity: int) -> None:
        self.length = 0
        self.past: dict[str, Any] = {}

    def forward(self, ids: Array) -> Array:
        return np.asarray(self.run(ids)[:, -1])

    def read(self, tokens: list[int]) -> Array:
        self.begin(1, len(tokens))
        return np.asarray(self.run(np.array([tokens]))[0])

    def run(self, ids: Array) -> Array:
        """Return the logits (B, S, V) of the tokens (B, S)."""
        start, self.length = self.length, self.length + ids.shape[1]
        positions = torch.arange(start, self.length).expand(*ids.shape)
        runner = self.runners["decode" if self.past else "prefill"]
        output = runner(input_ids=torch.from_numpy(ids), position_ids=positions, **self.past)
        self.past = {"past_key_values": output.past_key_values}
        return np.asarray(output.logits)
