"""Optimum: its export to ONNX, float32 or with onnxruntime's dynamic int8, a scale per channel."""

from pathlib import Path
from typing import Any

import torch
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTModelForCausalLM, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
from stepwise import Stepwise


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

    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        name = "model.onnx" if path.name == "fp32" else "model_quantized.onnx"
        self.model = ORTModelForCausalLM.from_pretrained(path, file_name=name, session_options=options)

    def forward(self, ids: torch.Tensor, past: Any, length: int) -> Any:
        mask = torch.ones(1, length, dtype=torch.int64)
        return self.model(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=True)
