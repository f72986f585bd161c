"""llama.cpp, out of the wheel xllamacpp, which has no converter and no quantizing program: GGUF files are written here.

The types of a file's tensors are those that llama.cpp's `llama-quantize` chooses for GPT-2 without an importance matrix
(https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp): matrices of the file's type, norms, biases and
positions float32; the table, which is the head too, Q6_K unless the file is Q8_0; and of Q4_K_M the fused attention
matrix and the last one of a layer Q6_K in the first and the last eighth and every third between.
"""

import ctypes
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import xllamacpp
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file

NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
TABLES = {"wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight"}
NORM = {"ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias"}
FALLBACKS = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}  # rows that no super-block divides


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Write the checkpoint as a GGUF file of one type."""
    config = json.loads((weights / "config.json").read_text())
    path = out / f"{scheme}.gguf"
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    add_tokenizer(writer, weights, config)
    for name, tensor in load_file(weights / "model.safetensors").items():
        name = name.removeprefix("transformer.")
        place, is_linear = rename(name)
        if place is None:
            continue
        values = np.ascontiguousarray(tensor.T if is_linear else tensor, np.float32)
        kind = choose_type(place, values.shape, scheme, config["n_layer"])
        if kind == Type.F32:
            writer.add_tensor(place, values)
        else:
            writer.add_tensor(place, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_tokenizer(writer: gguf.GGUFWriter, weights: Path, config: dict[str, Any]) -> None:
    model = json.loads((weights / "tokenizer.json").read_text())["model"]
    tokens = [f"[PAD{i}]" for i in range(config["vocab_size"])]
    for token, i in model["vocab"].items():
        tokens[i] = token
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(config["vocab_size"] - 1)
    writer.add_eos_token_id(config["vocab_size"] - 1)


def rename(name: str) -> tuple[str | None, bool]:
    """llama.cpp's name of a tensor, None where it has none, and whether it is a matrix to turn round."""
    if name in TABLES or name in NORM:
        return {**TABLES, **NORM}[name], False
    if not name.startswith("h."):
        return None, False
    _, layer, rest = name.split(".", 2)
    stem, _, kind = rest.rpartition(".")
    if stem not in NAMES:
        return None, False
    return f"blk.{layer}.{NAMES[stem]}.{kind}", kind == "weight" and ".c_" in name


def choose_type(place: str, shape: tuple[int, ...], scheme: str, layers: int) -> Type:
    if len(shape) == 1 or place.startswith("position"):
        return Type.F32
    kind = {"Q8_0": Type.Q8_0, "Q4_0": Type.Q4_0, "Q4_K_M": Type.Q4_K}[scheme]
    is_table = place.startswith("token") and kind != Type.Q8_0
    if is_table or (kind == Type.Q4_K and (".attn_qkv" in place or ".ffn_down" in place) and has_more(place, layers)):
        kind = Type.Q6_K
    return FALLBACKS.get(kind, kind) if shape[1] % 256 else kind


def has_more(place: str, layers: int) -> bool:
    """Whether llama.cpp gives these matrices of a layer more bits."""
    layer = int(place.split(".")[1])
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def quantize(values: np.ndarray, kind: Type) -> np.ndarray:
    """A matrix in blocks, as ggml packs it."""
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    pack = library.ggml_quantize_chunk
    pack.restype = ctypes.c_size_t
    pack.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    packed = np.empty((values.shape[0], values.shape[1] // block * size), np.uint8)
    written = pack(kind, values.ctypes.data, packed.ctypes.data, 0, *values.shape, None)
    assert written == packed.nbytes
    return packed


class Peer:
    """A server in this process, without a socket; its own clock says how long what took."""

    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.verbosity = capacity, 1, -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        self.server = xllamacpp.Server(params)

    def run(self, prompt: list[int], new: int) -> dict[str, float]:
        times = self.complete(prompt, new)["timings"]
        return {"prefill_ms": times["prompt_ms"], "token_ms": times["predicted_ms"] / (new - 1)}

    def write(self, prompt: list[int], new: int) -> list[int]:
        said = self.complete(prompt, new, logprobs=1)  # ids are told only beside these
        return [token["id"] for token in said["choices"][0]["logprobs"]["content"]]

    def complete(self, prompt: list[int], new: int, **more: int) -> dict[str, Any]:
        order = {"prompt": prompt, "max_tokens": new, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
        said = self.server.handle_completions({**order, **more})
        found: dict[str, Any] = json.loads(said) if isinstance(said, str) else said
        return found
