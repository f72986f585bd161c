"""Decides which of transformers' classes a tokenizer is, and so how its files are read.

1. The class is `tokenizer_class` of tokenizer_config.json, else of config.json, else GPT2Tokenizer for a GPT-2.
2. Of the classes in KINDS transformers takes the vocabulary of a tokenizer.json and little more: GPT2Tokenizer is
   byte-level BPE, whatever the file says of it. `add_prefix_space` and the like come from tokenizer_config.json.
3. A tokenizer.json of any other class, or whose model is of another type than its class has, is taken as it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.huggingface.tokenizer_kinds import GPT2, KINDS, Kind
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

WHOLE, CONFIG, MODEL_CONFIG = "tokenizer.json", "tokenizer_config.json", "config.json"
SAVE = "`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`"

Values = Mapping[str, Any]


@dataclass(frozen=True)
class TokenizerClass:
    """The class of a tokenizer by its name in transformers, without `Fast`; empty if no file shows it.

    `kind` is that of the class, None if KINDS does not have it. `is_fitting`: there is no tokenizer.json, or the model
    in it is of the type that the kind has.
    """

    name: str
    kind: Kind | None
    is_fitting: bool = True

    @property
    def reader(self) -> Kind | None:
        """The kind by which the files are read; None if a tokenizer.json is taken as it is (rule 3)."""
        return self.kind if self.is_fitting else None


def find_class(folder: Path, names: set[str], whole: Values | None) -> TokenizerClass:
    """Find the class of a tokenizer by rule 1. `whole` are the values of its tokenizer.json."""
    config, described = (read_object(folder / name) if name in names else {} for name in (CONFIG, MODEL_CONFIG))
    default = GPT2.name if described.get("model_type", "gpt2") == "gpt2" else ""
    name = str(config.get("tokenizer_class") or described.get("tokenizer_class") or default).removesuffix("Fast")
    kind = next((each for each in KINDS if each.name == name), None)
    return TokenizerClass(name, kind, is_fitting=whole is None or kind is None or find_model(whole) == kind.model)


def is_alone(names: Collection[str]) -> bool:
    """Return whether nothing beside a tokenizer.json says of which class it is."""
    return WHOLE in names and not {CONFIG, MODEL_CONFIG}.intersection(names)


def is_own_class(folder: Path, names: set[str]) -> bool:
    """Return whether the files in a folder say of which class its tokenizer is, and its model is of that class."""
    if is_alone(names):
        return False
    whole = read_object(folder / WHOLE) if WHOLE in names else None
    return find_class(folder, names, whole).is_fitting


def find_model(values: Values) -> object:
    """Return the type of the model in a tokenizer.json. The oldest name none, and byte-pair encoding has merges."""
    model = values.get("model")
    if not isinstance(model, dict):
        return None
    return model.get("type", "BPE" if "merges" in model else None)


def refuse_vocabulary(folder: Path, names: set[str], found: TokenizerClass) -> None:
    """Raise UserError unless the files of the vocabulary, without a tokenizer.json, are those of the class."""
    if found.kind and names >= set(found.kind.files):
        return
    other_kind = next((each for each in KINDS if names >= set(each.files)), None)
    if other_kind is not None:
        raise UserError(
            f"{folder}: `{'`, `'.join(other_kind.files)}` is the vocabulary of a {other_kind.name}, but the tokenizer "
            f"is a {quote_untrusted(found.name)}; set `tokenizer_class` in tokenizer_config.json"
        )
    raise UserError(
        f"{folder}: the files of the tokenizer {quote_untrusted(found.name)} cannot be read; write its tokenizer.json "
        f"there: {SAVE}"
    )
