"""The vocabulary in a tokenizer.json that convert wrote."""

from pathlib import Path

from gpt2forge.checkpoint.untrusted_text import read_object


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Return the ids of all tokens of a folder's tokenizer.json by their content."""
    values = read_object(folder / "tokenizer.json")
    vocabulary = values["model"]["vocab"]
    if isinstance(vocabulary, list):  # of Unigram: pieces with their scores, in the order of the ids
        vocabulary = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    return {**vocabulary, **{token["content"]: token["id"] for token in values["added_tokens"]}}
