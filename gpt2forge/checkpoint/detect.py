"""Which checkpoint a folder holds, and which of its files a conversion reads.

Only names are looked at, and two small text files; `plan` runs this, so it imports nothing heavy.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gpt2forge.checkpoint.tf1.pointer import read_pointer
from gpt2forge.checkpoint.untrusted_text import quote, read_object
from gpt2forge.errors import UserError

OPENAI_TEXTS = ("hparams.json", "encoder.json", "vocab.bpe")
TOKENIZER_TEXTS = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)
SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})", re.ASCII)
WHAT_TO_PUT = (
    "put OpenAI's files there (checkpoint, model.ckpt.*, hparams.json, encoder.json, vocab.bpe), "
    "or a Hugging Face directory (config.json, model.safetensors, tokenizer.json)"
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a folder.

    `prefix` starts the names of a TF1 checkpoint (`model.ckpt`, `model-1000`), else it is empty; `files` are the names
    that a conversion reads, sorted: they are what makes two checkpoints equal.
    """

    folder: Path
    layout: Literal["tf1", "huggingface"]
    prefix: str
    files: tuple[str, ...]

    @property
    def shards(self) -> tuple[str, ...]:
        """The files that hold the weights, in order."""
        suffix = ".data-" if self.layout == "tf1" else ".safetensors"
        return tuple(name for name in self.files if suffix in name and not name.endswith(".json"))

    @property
    def index(self) -> Path:
        """The file that says where the tensors of a TF1 checkpoint lie."""
        return self.folder / f"{self.prefix}.index"


def find_checkpoint(folder: Path) -> Checkpoint:
    """Say which checkpoint the folder holds: OpenAI's TF1 layout, a gpt-2-simple run, or a Hugging Face directory.

    Raises UserError when there is none, when it is ambiguous, or when a file of it is missing.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    is_tf1 = "checkpoint" in names or any(name.endswith(".index") for name in names)
    is_huggingface = "config.json" in names
    if is_tf1 and is_huggingface:
        raise UserError(f"{folder}: holds a TensorFlow and a Hugging Face checkpoint; keep one of them in a folder")
    if is_tf1:
        return find_tf1(folder, names)
    if is_huggingface:
        return find_huggingface(folder, names)
    raise UserError(f"no checkpoint at `{folder}`: {WHAT_TO_PUT}")


def find_tf1(folder: Path, names: set[str]) -> Checkpoint:
    """Find the files of the TF1 checkpoint that the folder's `checkpoint` file points to, or of the only one."""
    missing = [name for name in OPENAI_TEXTS if name not in names]
    if missing:
        raise UserError(f"{folder}: `{'`, `'.join(missing)}` missing; copy them from what was fine-tuned")
    pointer = ("checkpoint",) if "checkpoint" in names else ()
    prefix = read_pointer(folder / "checkpoint", names) if pointer else name_only_index(folder, names)
    files = (*pointer, f"{prefix}.index", *find_shards(folder, prefix, names), *OPENAI_TEXTS)
    return Checkpoint(folder, "tf1", prefix, tuple(sorted(files)))


def name_only_index(folder: Path, names: set[str]) -> str:
    found = sorted(name for name in names if name.endswith(".index"))
    if len(found) > 1:
        raise UserError(f"{folder}: holds `{'`, `'.join(found)}` and no `checkpoint` file that names one")
    return found[0].removesuffix(".index")


def find_shards(folder: Path, prefix: str, names: set[str]) -> list[str]:
    """The names of all shards of a TF1 checkpoint, in order."""
    matches = {name: SHARD.fullmatch(name.removeprefix(prefix)) for name in sorted(names) if name.startswith(prefix)}
    found = {name: (int(match[1]), int(match[2])) for name, match in matches.items() if match}
    counts = {count for _, count in found.values()}
    if len(counts) != 1:
        what = "no `.data-*` file" if not counts else "`.data-*` files of several writings"
        raise UserError(f"{folder}: {what} for `{prefix}.index`; copy the whole checkpoint there")
    count = counts.pop()
    if len(found) < count or count == 0:
        missing = next(shard for shard in range(count + 1) if (shard, count) not in found.values())
        raise UserError(
            f"{folder}: `{prefix}.data-{missing:05}-of-{count:05}` missing; copy the whole checkpoint there"
        )
    return list(found)


def find_huggingface(folder: Path, names: set[str]) -> Checkpoint:
    """Find the files of a directory that transformers' `save_pretrained` wrote."""
    files = [name for name in ("config.json", "generation_config.json", *TOKENIZER_TEXTS) if name in names]
    if "model.safetensors" in names:
        files.append("model.safetensors")
    elif "model.safetensors.index.json" in names:
        index = folder / "model.safetensors.index.json"
        files += [index.name, *sorted(set(read_weight_map(index, names).values()))]
    elif "pytorch_model.bin" in names or "pytorch_model.bin.index.json" in names:
        raise UserError(
            f"{folder}: `pytorch_model.bin` is a pickle, which is not opened; "
            "write it anew with `model.save_pretrained(folder, safe_serialization=True)`"
        )
    else:
        raise UserError(f"{folder}: has config.json, but no `model.safetensors`; {WHAT_TO_PUT}")
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise UserError(f"{folder}: no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there")
    return Checkpoint(folder, "huggingface", "", tuple(sorted(files)))


def read_weight_map(path: Path, names: set[str]) -> dict[str, str]:
    """Which file holds which tensor; every file is one of `names`, so that none lies outside the folder."""
    entries = read_object(path).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{path}: has no `weight_map`; is the download complete?")
    for tensor, name in entries.items():
        if not isinstance(name, str) or not name.endswith(".safetensors") or name not in names:
            raise UserError(f"{path}: {quote(tensor)} lies in {quote(name)}, which is not a safetensors file beside it")
    return entries
