"""Chooses the tokens that begin, end and pad a text, once everything that decides it is known.

What decides is what the files name, the tokenizer, and the number of tokens that the model has in the end: an adapter
may bring embeddings with more rows.
"""

from dataclasses import replace

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.token_ids import BEGIN, END, PAD, ROLES, Named, choose_ids, list_outside, take_first


def choose_tokens(contents: Contents, tokenizer: SourceTokenizer) -> Contents:
    """Return the contents with the tokens that the rules of `token_ids` choose, and notes on those outside."""
    named = contents.named or name_config(contents.config)
    chosen = [replace(each, role=tokenizer.find(tokenizer.roles.get(ROLES[each.key]))) for each in named]
    size = contents.config.vocab_size
    ids = {each.key: choose_ids(each, size) for each in chosen}
    config = replace(
        contents.config,
        ends=ids.get(END, ()),
        bos_token_id=take_first(ids.get(BEGIN, ())),
        pad_token_id=take_first(ids.get(PAD, ())),
    )
    notes = [note for each in chosen for note in list_outside(each, size)]
    return replace(contents, config=config, notes=(*contents.notes, *notes))


def name_config(config: ModelConfig) -> tuple[Named, ...]:
    """Return the tokens of a configuration, for a format that names no files."""

    def make(key: str, *ids: int | None) -> Named:
        return Named(key, {"config.json": tuple(number for number in ids if number is not None)})

    return (make(BEGIN, config.bos_token_id), make(END, *config.ends), make(PAD, config.pad_token_id))
