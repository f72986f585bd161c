"""Loads the tokenizer of a directory in transformers, which need not be installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.huggingface.tokenizer_class import is_own_class
from gpt2forge.checkpoint.locate import list_names

PROBE = "a"


def load_in_transformers(folder: Path) -> Any | None:
    """Load a tokenizer as AutoTokenizer does, without the dropout that would choose other merges each time.

    Where no file says its class, or that would misread its model, it is loaded as its tokenizer.json says. Returns None
    if transformers is not installed, or finds no files. Raises whatever transformers raises: an exception of any type,
    or a panic of the library tokenizers.
    """
    if find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()  # type: ignore[no-untyped-call]
    opener = AutoTokenizer if is_own_class(folder, list_names(folder)) else PreTrainedTokenizerFast
    tokenizer = opener.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if hasattr(tokenizer.backend_tokenizer.model, "dropout"):
        tokenizer.backend_tokenizer.model.dropout = None
    is_empty = not tokenizer(PROBE)["input_ids"]  # it makes an empty tokenizer where it finds no files
    return None if is_empty else tokenizer
