"""llama.cpp, compiled for this processor from the sources in llama-cpp-python, whose C interface it calls.

Its converter and its program that quantizes are not in there: this module writes GGUF.

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
from gguf import GGMLQuantizationType as Type
from llama_cpp import llama_cpp as library
from llama_cpp._ggml import libggml
from safetensors.numpy import load_file

from bench.peers.stepwise import Array, Stepwise

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
ROOM = 256  # tokens: what a context is rounded up to, as llama.cpp pads it
LOG_TO_STDERR = library.llama_log_callback()  # a null pointer: not through Python, which drops most of it
FALLBACKS = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}  # rows that no super-block divides

quantize_chunk = libggml.ggml_quantize_chunk  # (type, float32, packed, first, rows, columns, importance)
quantize_chunk.restype = ctypes.c_size_t
quantize_chunk.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]


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
    """Return llama.cpp's name of a tensor, None if it has none, and whether the tensor is a matrix to transpose."""
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
    """Return whether llama.cpp gives these matrices of a layer more bits."""
    layer = int(place.split(".")[1])
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def quantize(values: Array, kind: Type) -> Array:
    """Return a matrix in blocks, as ggml packs it."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    packed = np.empty((values.shape[0], values.shape[1] // block * size), np.uint8)
    written = quantize_chunk(kind, values.ctypes.data, packed.ctypes.data, 0, *values.shape, None)
    assert written == packed.nbytes
    return packed


def describe_library() -> str:
    """Return what llama.cpp was compiled for, in its own words: `CPU: AVX2, AVX512_VNNI, REPACK`."""
    told: str = library.llama_print_system_info().decode()
    return told.replace(" = 1", "").replace(" : ", ": ").strip(" |").replace(" |", ",")


class Peer(Stepwise):
    """llama.cpp's own library, called as its `llama-bench` does.

    Its defaults hold: keys and values are float16, attention is fused where llama.cpp can do that, and weights are
    repacked for the processor's instructions while they are loaded.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.threads, self.read_bytes = threads, path.stat().st_size
        library.llama_log_set(LOG_TO_STDERR, None)
        library.llama_backend_init()
        self.compiled_for = describe_library()
        self.model = library.llama_model_load_from_file(str(path).encode(), library.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not open {path.name}")
        self.words: int = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self.model))
        self.context, self.shape = None, (0, 0)

    def begin(self, batch: int, capacity: int) -> None:
        shape = (batch, -(-capacity // ROOM) * ROOM)
        if self.shape != shape:
            self.make_context(*shape)
        library.llama_memory_clear(library.llama_get_memory(self.context), True)
        self.length = 0

    def make_context(self, batch: int, room: int) -> None:
        if self.context:
            library.llama_free(self.context)
            library.llama_batch_free(self.batch)
        params = library.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_seq_max = batch * room, batch * room, batch
        self.context = library.llama_init_from_model(self.model, params)
        library.llama_set_n_threads(self.context, self.threads, self.threads)
        self.batch = library.llama_batch_init(batch * room, 0, 1)
        self.shape = (batch, room)

    def forward(self, ids: Array) -> Array:
        last = np.zeros_like(ids)
        last[:, -1] = 1
        return self.decode(ids, last)

    def read(self, tokens: list[int]) -> Array:
        self.begin(1, len(tokens))
        return self.decode(np.array([tokens]), np.ones((1, len(tokens))))

    def decode(self, ids: Array, wanted: Array) -> Array:
        """Return the logits (N, V) of those tokens of (B, S) that are wanted."""
        batch = self.batch
        batch.n_tokens = ids.size
        for place, (text, step) in enumerate(np.ndindex(*ids.shape)):
            batch.token[place], batch.pos[place] = int(ids[text, step]), self.length + step
            batch.n_seq_id[place], batch.logits[place] = 1, int(wanted[text, step])
            batch.seq_id[place][0] = text
        code = library.llama_decode(self.context, batch)
        if code:
            raise RuntimeError(f"llama_decode gave {code}")
        self.length += ids.shape[1]
        logits = library.llama_get_logits(self.context)
        return np.ctypeslib.as_array(logits, (int(wanted.sum()), self.words)).copy()
