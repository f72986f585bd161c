"""Reads a vocabulary of sentencepiece, for which transformers has the converters, one for each class of tokenizers.

What is read is what transformers saves of the tokenizer that it loads: a tokenizer.json and what describes it.
"""

import json
from importlib.util import find_spec
from pathlib import Path

from gpt2forge.checkpoint.huggingface.charsmap import find_in_model, is_cut_off
from gpt2forge.checkpoint.huggingface.tokenizer_class import CONFIG
from gpt2forge.checkpoint.huggingface.transformers_tokenizer import load_in_transformers
from gpt2forge.checkpoint.source_tokenizer import raise_unless_library
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

SENTENCEPIECE = ("spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model")
"""The names of the vocabulary, by the classes of transformers that read it."""

TAKEN_AS_IT_IS = {"tokenizer_class": "PreTrainedTokenizerFast"}


def save_again(folder: Path, names: set[str], place: Path) -> None:
    """Write the tokenizer of a folder to `place` as a tokenizer.json, with transformers.

    Raises UserError if transformers or sentencepiece is not installed, or if they cannot load it.
    """
    name = next(each for each in SENTENCEPIECE if each in names)
    if find_spec("transformers") is None or find_spec("sentencepiece") is None:
        raise UserError(
            f"{folder / name}: is read with transformers and sentencepiece, which are not installed: "
            "pip install 'gpt2forge[sentencepiece]'"
        )
    check_charsmap(folder / name)
    try:
        tokenizer = load_in_transformers(folder)
    except BaseException as error:
        raise_unless_library(error)
        reason = quote_untrusted(" ".join(str(error).split()))
        raise UserError(f"{folder / name}: transformers cannot read it: {reason}; is the file complete?") from error
    if tokenizer is None:
        raise UserError(
            f"{folder / name}: transformers reads no tokenizer from it; `tokenizer_class` in tokenizer_config.json "
            "must name its class, such as `T5Tokenizer`"
        )
    tokenizer.save_pretrained(place)
    config = place / CONFIG
    config.write_text(json.dumps(read_object(config) | TAKEN_AS_IT_IS))


def check_charsmap(path: Path) -> None:
    """Raise UserError if a vocabulary is no message of sentencepiece, or its table of characters is cut off."""
    try:
        is_whole = not any(is_cut_off(table) for table in find_in_model(path.read_bytes()))
    except ValueError as error:
        raise UserError(f"{path}: is no vocabulary of sentencepiece ({error}); is the file complete?") from error
    if not is_whole:
        raise UserError(f"{path}: its `precompiled_charsmap` is cut off; is the file complete?")
