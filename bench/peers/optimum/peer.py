"""Optimum: its export to ONNX, float32 or with onnxruntime's dynamic int8, a scale per channel."""

import time
from pathlib import Path
from typing import Any

import torch
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTModelForCausalLM, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig


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


class Peer:
    """ORTModelForCausalLM, a token at a time with its cache."""

    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        name = "model.onnx" if path.name == "fp32" else "model_quantized.onnx"
        self.model = ORTModelForCausalLM.from_pretrained(path, file_name=name, session_options=options)

    def run(self, prompt: list[int], new: int) -> dict[str, float]:
        times = self.go_on(prompt, new)[1]
        return {"prefill_ms": times[0], "token_ms": sorted(times[1:])[len(times) // 2]}

    def write(self, prompt: list[int], new: int) -> list[int]:
        return self.go_on(prompt, new)[0]

    def go_on(self, prompt: list[int], new: int) -> tuple[list[int], list[float]]:
        """The likeliest tokens, and the milliseconds of each."""
        ids, past, text, times = torch.tensor([prompt]), None, [], []
        while len(text) < new:
            mask = torch.ones(1, len(prompt) + len(text), dtype=torch.int64)
            began = time.perf_counter()
            said: Any = self.model(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=True)
            token = int(said.logits[0, -1].argmax())
            times.append(1e3 * (time.perf_counter() - began))
            text.append(token)
            ids, past = torch.tensor([[token]]), said.past_key_values
        return text, times
