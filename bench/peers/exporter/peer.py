"""transformers' own exporter to ONNX (experimental): two float32 graphs, one for a prompt and one for what follows."""

from pathlib import Path

import onnxruntime
import torch
from stepwise import Array, Stepwise, count_files
from transformers import GPT2LMHeadModel
from transformers.exporters.base import ExportedModel
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Export with the fusions that it has for onnxruntime on CPU."""
    model = GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32).eval()
    ids = torch.arange(16).reshape(2, 8)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    exported = OnnxExporter().export_for_generation(model, inputs, OnnxConfig(dynamic=True, ort_fusions="cpu"))
    exported.save_pretrained(out / scheme)
    return out / scheme


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.bytes = count_files(path, "decode.onnx.data")
        self.runners = ExportedModel.from_pretrained(path, device="cpu", session_options=options).runners

    def count_bytes(self) -> int:
        return self.bytes

    def begin(self, batch: int, capacity: int) -> None:
        self.length, self.past = 0, {}

    def forward(self, ids: Array) -> Array:
        logits = self.run(ids)
        return logits[:, -1]

    def read(self, tokens: list[int]) -> Array:
        self.begin(1, len(tokens))
        return self.run(torch.tensor([tokens]).numpy())[0]

    def run(self, ids: Array) -> Array:
        start, self.length = self.length, self.length + ids.shape[1]
        positions = torch.arange(start, self.length).expand(*ids.shape)
        runner = self.runners["decode" if self.past else "prefill"]
        said = runner(input_ids=torch.from_numpy(ids), position_ids=positions, **self.past)
        self.past = {"past_key_values": said.past_key_values}
        return said.logits.numpy()
