"""Recognizes files that are no checkpoint, or none that can be built, and says what to do with them.

`find_checkpoint` calls it where it would say no more than that there is no checkpoint, or that a file is missing.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.other_models import refuse_other_models, refuse_quantized
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.checkpoint.weight_names import hold_huggingface, hold_only_others
from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_start

CONFIG, GPTQ = "config.json", "quantize_config.json"
POINTER = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER = 1024  # bytes, by the specification of Git LFS
SAVE = "`model.save_pretrained(folder)` and `tokenizer.save_pretrained(folder)`"
ARCHIVES = (
    (re.compile(r".*\.zip", re.IGNORECASE | re.DOTALL), "a zip archive", "unzip FILE -d FOLDER"),
    (
        re.compile(r".*\.(tar|tar\.\w+|tgz|tbz2|txz)", re.IGNORECASE | re.DOTALL),
        "a tar archive",
        "tar -xf FILE -C FOLDER",
    ),
)
"""Names of archives, with what they are and the command that unpacks one into an existing folder."""


@dataclass(frozen=True)
class Known:
    """Something that people point a converter at: the files that show it, what it is, and the way on."""

    shows: Callable[[str], bool]
    what: str
    way: str


def match(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a whole name matches."""
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


TRAINERS = (
    Known(
        match(r"latest_checkpointed_iteration\.txt|model_optim_rng\.pt|model_rng\.pt"),
        "a checkpoint of Megatron-LM",
        "convert it with `convert_megatron_gpt2_checkpoint.py` of transformers 4",
    ),
    Known(
        match(r"zero_to_fp32\.py|mp_rank_\d+_model_states\.pt|.*zero_pp_rank_.*_optim_states\.pt"),
        "a checkpoint of DeepSpeed",
        f"let its `zero_to_fp32.py` write a state dict, load it into the model, and write that with {SAVE}",
    ),
)
"""Files that programs for training leave in folders below the one that people name."""

KNOWN = (
    *TRAINERS,
    Known(
        match(r"saved_model\.pb"),
        "a TensorFlow SavedModel, which is a program and not a checkpoint",
        f"name the folder that {SAVE} wrote",
    ),
    Known(
        match(r".*\.onnx"),
        "a model that is exported to ONNX already",
        f"name the folder that it was exported from, which {SAVE} wrote",
    ),
    Known(
        match(r"openvino_model\.(xml|bin)|.*\.(tflite|mlmodel|engine|keras)"),
        "a model in the form of one runtime, which is no checkpoint",
        f"name the folder that it was made from, which {SAVE} wrote",
    ),
    Known(
        match(r".*\.ckpt|(?!optimizer|scheduler|rng_state|scaler|ckpt\.pt$).*\.(pt|pth)"),
        "a checkpoint of PyTorch Lightning, or of another program for training",
        f"load it with the code that trained it, and write its GPT2LMHeadModel with {SAVE}",
    ),
)
"""From the most certain to the least: a folder may hold the files of several."""


def refuse_archive(path: Path) -> None:
    """Raise UserError if a file is an archive by its name."""
    for pattern, what, command in ARCHIVES:
        if pattern.fullmatch(path.name):
            raise UserError(f"{path}: {what}; unpack it and name the folder: `mkdir FOLDER && {command}`")


def refuse_known(folder: Path, names: Iterable[str]) -> None:
    """Raise UserError that names what the files of a folder are, if that is known."""
    ordered = sorted(names)
    refuse_pointers(folder, ordered)
    refuse_others(folder, ordered)
    if hold_huggingface(ordered) or hold_only_others(ordered):
        return
    refuse_listed(folder, ordered, KNOWN)
    for name in ordered:
        refuse_archive(folder / name)


def refuse_listed(folder: Path, names: Iterable[str], table: tuple[Known, ...]) -> None:
    """Raise UserError if one of the files of a folder shows something in a table."""
    for known in table:
        for name in sorted(filter(known.shows, names)):
            raise UserError(f"{folder}: holds {quote_untrusted(name)}, {known.what}; {known.way}")


def refuse_others(folder: Path, names: Iterable[str]) -> None:
    """Raise UserError for another architecture or quantized weights, by the files that describe them.

    AutoGPTQ described its weights in a file of its own.
    """
    if CONFIG in names:
        refuse_other_models(read_object(folder / CONFIG), folder / CONFIG)
    if GPTQ in names:
        refuse_quantized({"quant_method": "gptq"}, folder / GPTQ)


def refuse_pointers(folder: Path, names: Iterable[str]) -> None:
    """Raise UserError if one of the files is a pointer of Git LFS."""
    for name in names:
        path = folder / name
        is_small = path.is_file() and path.stat().st_size < LARGEST_POINTER
        if is_small and read_start(path, LARGEST_POINTER).startswith(POINTER):
            raise UserError(f"{path}: a pointer of Git LFS, and not the file itself; run `git lfs pull` in {folder}")
