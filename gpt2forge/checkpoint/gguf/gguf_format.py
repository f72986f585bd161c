"""The format of llama.cpp: one GGUF file, which holds the weights, the configuration and the tokenizer."""

import re
from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.gguf.gguf_file import read_gguf
from gpt2forge.checkpoint.gguf.gguf_tokenizer import read_gguf_tokenizer
from gpt2forge.checkpoint.gguf.read_gguf_model import read_gguf_model
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.weight_names import hold_huggingface
from gpt2forge.errors import UserError

ENDING = ".gguf"
PLAIN = re.compile(r"(^|[^a-z0-9])(f32|f16|bf16|fp32|fp16)([^a-z0-9]|$)", re.IGNORECASE)


def holds_gguf(names: set[str]) -> bool:
    """Return whether there is a GGUF file, and no weights of Hugging Face's that it was made of."""
    return any(name.endswith(ENDING) for name in names) and not hold_huggingface(names)


def find_gguf(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the GGUF file that the path names, or the only one of a folder.

    Of several, the only one that is named after a type that is not quantized is taken.
    """
    found = sorted(name for name in names if name.endswith(ENDING))
    if wanted.file in found:
        return Checkpoint(folder, GGUF, files=(wanted.file,), weights=(wanted.file,))
    plain = [name for name in found if PLAIN.search(name)]
    name = next(iter(plain if len(plain) == 1 else found))
    if len(found) > 1 and len(plain) != 1:
        shown = ", ".join(map(quote_untrusted, found[:5])) + (", ..." if len(found) > 5 else "")
        raise UserError(
            f"{folder}: holds {len(found)} GGUF files, {shown}; name the path of one of them, in F32 or F16 (parts of "
            "one file become one with `llama-gguf-split --merge FIRST OUT`)"
        )
    note = f"the file {quote_untrusted(name)} is read, of {len(found)} the one that is not quantized by its name"
    return Checkpoint(folder, GGUF, files=(name,), weights=(name,), notes=(note,) if len(found) > 1 else ())


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    path = checkpoint.folder / checkpoint.weights[0]
    return read_gguf_tokenizer(read_gguf(path).metadata, path)


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    return read_gguf_model(checkpoint.folder / checkpoint.weights[0])


GGUF = Format(
    name="gguf",
    title="GGUF",
    expected_files="a GGUF of GPT-2 in F32 or F16 (model.gguf)",
    is_in=holds_gguf,
    find=find_gguf,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
