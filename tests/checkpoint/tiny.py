"""A GPT-2 small enough to keep in the repository: its shapes, its seeded values and its tokenizer."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "data"
END_OF_TEXT = "<|endoftext|>"
MERGES = ("Ġ t", "h e", "Ġt he")


@dataclass(frozen=True)
class Shape:
    """OpenAI's hparams.json."""

    n_vocab: int = 260
    n_ctx: int = 8
    n_embd: int = 8
    n_head: int = 2
    n_layer: int = 2


DEEP = Shape(n_embd=4, n_layer=11)  # h10 comes before h2 in an index


def list_openai_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return OpenAI's names and shapes, written independently of the table under test."""
    width = shape.n_embd
    shapes = {"model/wte": (shape.n_vocab, width), "model/wpe": (shape.n_ctx, width)}
    for layer in range(shape.n_layer):
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"model/h{layer}/{norm}/g": (width,), f"model/h{layer}/{norm}/b": (width,)}
        for linear, rows, columns in (
            ("attn/c_attn", width, 3 * width),
            ("attn/c_proj", width, width),
            ("mlp/c_fc", width, 4 * width),
            ("mlp/c_proj", 4 * width, width),
        ):
            shapes |= {f"model/h{layer}/{linear}/w": (1, rows, columns), f"model/h{layer}/{linear}/b": (columns,)}
    return shapes | {"model/ln_f/g": (width,), "model/ln_f/b": (width,)}


def make_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make the float32 values of a tensor; each name has its own."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return (0.1 * random.standard_normal(shape)).astype(np.float32)


def translate(openai: str) -> str:
    """Return transformers' name for a tensor that has this name in OpenAI's checkpoints."""
    parts = openai.removeprefix("model/").split("/")
    if parts[0][0] == "h":
        parts[:1] = ["h", parts[0][1:]]
    ends = {"g": "weight", "w": "weight", "b": "bias"}
    return ".".join(["transformer", *parts[:-1], ends.get(parts[-1], f"{parts[-1]}.weight")])


def make_encoder(shape: Shape) -> dict[str, int]:
    """Return the ids of all tokens; the end of text is not the last one."""
    from tokenizers.pre_tokenizers import ByteLevel  # not at the top: TensorFlow's environment has no tokenizers

    tokens = [END_OF_TEXT, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    assert len(tokens) <= shape.n_vocab
    return {token: number for number, token in enumerate(tokens)}


def write_openai_texts(folder: Path, shape: Shape) -> None:
    """Write hparams.json, encoder.json and vocab.bpe."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hparams.json").write_text(json.dumps(vars(shape)))
    (folder / "encoder.json").write_text(json.dumps(make_encoder(shape)))
    (folder / "vocab.bpe").write_text("\n".join(["#version: 0.2", *MERGES, ""]), encoding="utf-8")
