"""Loads the tokenizer of a directory in transformers, which need not be installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.hidden_library import hidden
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
    with torch_hidden():
        from transformers import AutoTokenizer, PreTrainedTokenizerFast
        from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()  # type: ignore[no-untyped-call]
    opener = AutoTokenizer if is_own_class(folder, list_names(folder)) else PreTrainedTokenizerFast
    tokenizer = opener.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if hasattr(tokenizer.backend_tokenizer.model, "dropout"):
        tokenizer.backend_tokenizer.model.dropout = None
    is_empty = not tokenizer(PROBE)["input_ids"]  # it makes an empty tokenizer where it finds no files
    return None if is_empty else tokenizer


@contextmanager
def torch_hidden() -> Iterator[None]:
    """Hide PyTorch while transformers is imported, unless this process has imported one of them before.

    transformers imports all of PyTorch where it finds it, and its tokenizers use none of it: 2.9 s instead of 1.4 s of
    a processor, and 180 MB more. A process that needs the models of transformers too must import PyTorch first.
    """
    quiet = {"TRANSFORMERS_VERBOSITY": "error", **os.environ}  # it would warn that there are no models
    added = quiet.keys() - os.environ.keys()
    os.environ.update(quiet)
    try:
        with hidden("torch", "transformers"):
            yield
    finally:
        for name in added:
            del os.environ[name]
