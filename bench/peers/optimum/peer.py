"""Optimum: its export to ONNX, float32 or with onnxruntime's dynamic int8, a scale per channel."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTModelForCausalLM, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig

from bench.peers.stepwise import Array, Stepwise, count_files


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    plain = out / "fp32"
    if not (plain / "model.onnx").is_file():
        main_export(str(weights), plain, task="text-generation-with-past")
    if scheme == "fp32":
        return plain
    place = out / scheme
    settings = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
    ORTQuantizer.from_pretrained(plain, file_name="model.onnx").quantize(
        save_dir=place, quantization_config=settings, use_external_data_format=True
    )
    return place


class Peer(Stepwise):
    """ORTModelForCausalLM, a token at a time with its cache."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        name = "model.onnx" if path.name == "fp32" else "model_quantized.onnx"
        self.read_bytes = count_files(path, ".onnx", ".onnx_data", ".data")
        self.model = ORTModelForCausalLM.from_pretrained(path, file_name=name, session_options=options)

    def begin(self, batch: int, capacity: int) -> None:
        self.past, self.mask = None, torch.ones(batch, capacity, dtype=torch.int64)
        self.length = 0

    def forward(self, ids: Array) -> Array:
        self.length += ids.shape[1]
        mask = self.mask[:, : self.length]
        output = self.model(
            input_ids=torch.from_numpy(ids), attention_mask=mask, past_key_values=self.past, use_cache=True
        )
        self.past = output.past_key_values
        return np.asarray(output.logits[:, -1])

    def read(self, tokens: list[int]) -> Array:
        ids = torch.tensor([tokens])
        output = self.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True)
        return np.asarray(output.logits[0])
