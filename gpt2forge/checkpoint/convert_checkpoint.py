"""From a checkpoint of either layout to the one folder that all later steps read."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.detect import Checkpoint, find_checkpoint
from gpt2forge.checkpoint.huggingface.huggingface_vocabulary import read_huggingface_vocabulary
from gpt2forge.checkpoint.huggingface.read_huggingface import read_huggingface, settle_head
from gpt2forge.checkpoint.model_folder import WEIGHTS, Tell, write_config, write_weights
from gpt2forge.checkpoint.tensors import Contents
from gpt2forge.checkpoint.tf1.read_tf1 import read_tf1
from gpt2forge.checkpoint.tokenizer import write_tokenizer
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Vocabulary, read_openai_vocabulary
from gpt2forge.digest import Written
from gpt2forge.errors import UserError


@dataclass(frozen=True)
class Converted:
    """What came of a checkpoint: its numbers, and its large file by the file's name."""

    numbers: dict[str, int]
    written: dict[str, Written]


def convert_checkpoint(source: Path, out: Path, tell: Tell = lambda done, total: None) -> Converted:
    """Write the checkpoint in `source` as float32 model.safetensors with config and tokenizer.

    Raises UserError where the checkpoint is incomplete, damaged, or not a GPT-2 that can be built.
    """
    checkpoint = find_checkpoint(source)
    vocabulary, contents = read_checkpoint(checkpoint)
    if checkpoint.layout == "huggingface":
        contents = settle_head(contents)
    write_config(contents.config, read_generation(checkpoint), out)
    write_tokenizer(vocabulary, contents.config.n_positions, out)
    written = write_weights(contents.tensors, out, tell)
    values = sum(tensor.count for tensor in contents.tensors)
    numbers = {"tensors": len(contents.tensors), "parameters": values, "context": contents.config.n_positions}
    return Converted(numbers, {WEIGHTS: written})


def read_checkpoint(checkpoint: Checkpoint) -> tuple[Vocabulary, Contents]:
    """Read what a checkpoint holds, all but the weights themselves; raises UserError where its files don't agree."""
    if checkpoint.layout == "tf1":
        vocabulary = read_openai_vocabulary(checkpoint.folder)
        contents = read_tf1(checkpoint, vocabulary.ids[END_OF_TEXT])
    else:
        vocabulary = read_huggingface_vocabulary(checkpoint)
        contents = name_end(read_huggingface(checkpoint), vocabulary, checkpoint.folder / "config.json")
    if vocabulary.size > contents.config.vocab_size:
        raise UserError(
            f"{checkpoint.folder}: the tokenizer has ids up to {vocabulary.size - 1}, but the model only "
            f"{contents.config.vocab_size} tokens; is it the one of this checkpoint?"
        )
    return vocabulary, contents


def name_end(contents: Contents, vocabulary: Vocabulary, path: Path) -> Contents:
    """Take the ids of the first and the last token from the tokenizer where config.json names none."""
    given = read_object(path)
    ids = {role: vocabulary.find(token) for role, token in vocabulary.roles.items()}
    end, start = ids.get("eos_token"), ids.get("bos_token")
    config = contents.config
    if given.get("eos_token_id") is None and end is not None:
        config = replace(config, eos_token_id=end)
    if config.bos_token_id is None:
        config = replace(config, bos_token_id=config.eos_token_id if start is None else start)
    return replace(contents, config=config)


def read_generation(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the source says of generating text, without the version that said it."""
    name = "generation_config.json"
    values = read_object(checkpoint.folder / name) if name in checkpoint.files else {}
    return {key: value for key, value in values.items() if key not in ("transformers_version", "_from_model_config")}
