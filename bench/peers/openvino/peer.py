"""OpenVINO's own runtime; the model is exported and its weights rounded by optimum-intel and nncf, as users do."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

os.environ["CI"] = "true"  # read when openvino is imported: it sends no usage statistics from CI

import openvino
from openvino import opset13

from bench.peers.stepwise import Array, Stepwise, count_files

MODEL = "openvino_model.xml"
FORMS: dict[str, dict[str, Any]] = {
    "int8": {"bits": 8},
    "int4": {"bits": 4, "sym": False, "group_size": 128, "ratio": 1.0, "group_size_fallback": "adjust"},
}
"""The options behind each `--weight-format` of optimum-cli; the table of tokens, which is the head too, stays int8.

Rows that no group of 128 divides (1558M's) have smaller groups; without `adjust` nncf refuses them.
"""


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Export a folder of transformers with its keys and values as a state, and round its weights."""
    from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig  # and torch: too much memory to run with

    rounding = OVWeightQuantizationConfig(**FORMS[scheme])
    model = OVModelForCausalLM.from_pretrained(weights, export=True, compile=False, quantization_config=rounding)
    model.save_pretrained(out / scheme)
    return out / scheme


def keep_last_position(model: openvino.Model) -> None:
    """Multiply the head with each text's last position alone, as openvino-genai does before it compiles a model."""
    head = model.output("logits").get_node().input_value(0).get_node()
    last = opset13.slice(head.input_value(0), [-1], [np.iinfo(np.int64).max], [1], [1])
    head.input(0).replace_source_output(last.output(0))
    model.validate_nodes_and_infer_types()


class Peer(Stepwise):
    """A compiled model in its defaults for one text at a time: bfloat16 if the processor has it, a cache of uint8."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path, self.threads = path / MODEL, threads
        self.read_bytes = count_files(path, ".bin")
        self.writer = self.compile(is_whole=False)

    @cached_property
    def reader(self) -> openvino.InferRequest:
        """The model that returns the logits of all positions."""
        return self.compile(is_whole=True)

    def compile(self, is_whole: bool) -> openvino.InferRequest:
        core = openvino.Core()
        model = core.read_model(self.path)
        if not is_whole:
            keep_last_position(model)
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self.threads}
        return core.compile_model(model, "CPU", options).create_infer_request()

    def begin(self, batch: int, capacity: int) -> None:
        self.writer.reset_state()
        self.length = 0

    def forward(self, ids: Array) -> Array:
        logits = infer(self.writer, ids, self.length)
        self.length += ids.shape[1]
        return logits[:, -1]

    def read(self, tokens: list[int]) -> Array:
        self.reader.reset_state()
        return np.asarray(infer(self.reader, np.array([tokens]), 0)[0])


def infer(request: openvino.InferRequest, ids: Array, before: int) -> Array:
    """Return the logits (B, K, V) of the tokens (B, S), which follow those `before` in the request's state."""
    batch, new = ids.shape
    feeds: dict[str, Any] = {
        "input_ids": ids,
        "attention_mask": np.ones((batch, before + new), np.int64),
        "position_ids": np.tile(np.arange(before, before + new), (batch, 1)),
        "beam_idx": np.arange(batch, dtype=np.int32),
    }
    logits: Array = request.infer(feeds)["logits"]
    return logits
