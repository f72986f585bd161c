"""The format of llama.cpp: one GGUF file, which holds the weights, the configuration and the tokenizer."""

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


def holds_gguf(names: set[str]) -> bool:
    """Return whether there is a GGUF file, and no weights of Hugging Face's that it was made of."""
    return any(name.endswith(ENDING) for name in names) and not hold_huggingface(names)


def find_gguf(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the only GGUF file of a folder."""
    found = tuple(sorted(name for name in names if name.endswith(ENDING)))
    if len(found) > 1:
        shown = ", ".join(map(quote_untrusted, found[:5])) + (", ..." if len(found) > 5 else "")
        raise UserError(
            f"{folder}: holds {len(found)} GGUF files, {shown}; keep one of them in a folder, in F32 or F16 (parts of "
            "one file become one with `llama-gguf-split --merge FIRST OUT`)"
        )
    return Checkpoint(folder, GGUF, files=found, weights=found)


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
