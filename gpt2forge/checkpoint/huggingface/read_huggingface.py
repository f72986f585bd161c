"""Reads a GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

import re
from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_config
from gpt2forge.checkpoint.contents import Contents, LeftOut, SourceTensor, check_apart, check_tensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.names import HEAD, PREFIX, TensorSpec, list_specs
from gpt2forge.checkpoint.safetensors import Tensor, read_header
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.checkpoint.vocabulary import Vocabulary
from gpt2forge.errors import UserError

BUFFER = re.compile(r"h\.\d+\.attn\.(masked_)?bias", re.ASCII)  # the causal mask, which old versions saved

NamedTensors = dict[str, tuple[Path, Tensor]]
"""Tensors by their names without `transformer.`, each with the file that holds it."""


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Find where every tensor of the model lies. It reads the headers, not the weights.

    The tensors include `lm_head.weight` if a file holds it, tied or not. Raises UserError if a tensor is missing,
    unknown, or has another shape than config.json implies.
    """
    path = checkpoint.folder / "config.json"
    config = read_config(checkpoint.folder)
    found = find_tensors(checkpoint)
    specs = list_expected(checkpoint.folder, config, found)
    buffers = [name for name in found if BUFFER.fullmatch(name)]
    refuse_unknown(found, {spec.name.removeprefix(PREFIX) for spec in specs} | set(buffers), config)
    tensors = tuple(locate(spec, *found[spec.name.removeprefix(PREFIX)], config=path) for spec in specs)
    check_apart(tensors)
    left_out = tuple(LeftOut(name, found[name][1].dtype, found[name][1].nbytes) for name in buffers)
    return Contents(config, tensors, left_out)


def list_expected(folder: Path, config: ModelConfig, found: NamedTensors) -> list[TensorSpec]:
    """Return every tensor that the model must have. Raises UserError if one is not among those found."""
    specs = []
    for spec in list_specs(config):  # stops at the first missing tensor, however many layers config.json claims
        if spec.name.removeprefix(PREFIX) not in found:
            raise UserError(f"{folder}: `{spec.name}` {list(spec.shape)} is missing; is the download complete?")
        specs.append(spec)
    if HEAD in found:
        specs.append(TensorSpec(HEAD, openai="", shape=(config.vocab_size, config.n_embd)))
    elif not config.tied:
        path = folder / "config.json"
        raise UserError(
            f"{path}: says `tie_word_embeddings: false`, but `{HEAD}` is missing; is the download complete?"
        )
    return specs


def refuse_unknown(found: NamedTensors, known: set[str], config: ModelConfig) -> None:
    """Raise UserError if a tensor is not known."""
    for name in sorted(found.keys() - known):
        raise UserError(
            f"{found[name][0]}: holds {quote_untrusted(name)}, which a GPT-2 with {config.n_layer} layers does not "
            "have; write it again with `GPT2LMHeadModel.from_pretrained(...).save_pretrained(...)`"
        )


def find_tensors(checkpoint: Checkpoint) -> NamedTensors:
    """Find every tensor in the checkpoint's files."""
    headers = {name: read_header(checkpoint.folder / name) for name in checkpoint.weights}
    if checkpoint.weights == ("model.safetensors",):
        owners = dict.fromkeys(headers["model.safetensors"], "model.safetensors")
    else:
        owners = read_weight_map(checkpoint.folder / "model.safetensors.index.json", set(checkpoint.weights))
    found: NamedTensors = {}
    for name, shard in owners.items():
        path, short = checkpoint.folder / shard, name.removeprefix(PREFIX)
        if name not in headers[shard]:
            raise UserError(
                f"{path}: {quote_untrusted(name)} is missing, although the index names this file for it; "
                "is the download complete?"
            )
        if short in found:
            raise UserError(
                f"{path}: {quote_untrusted(name)} occurs twice, with and without `{PREFIX}`; keep one of them"
            )
        found[short] = path, headers[shard][name]
    return found


def read_weight_map(path: Path, names: set[str]) -> dict[str, str]:
    """Read which file holds which tensor. Every file must be one of `names`, so that none lies outside the folder."""
    entries = read_object(path).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{path}: has no `weight_map`; is the download complete?")
    for tensor, name in entries.items():
        if not isinstance(name, str) or not name.endswith(".safetensors") or name not in names:
            both = f"{quote_untrusted(tensor)} lies in {quote_untrusted(name)}"
            raise UserError(f"{path}: {both}, which is not a safetensors file beside it; is the download complete?")
    return entries


def locate(spec: TensorSpec, path: Path, tensor: Tensor, *, config: Path) -> SourceTensor:
    """Check a tensor of a file's header against the model; `config` is the path of config.json."""
    source = SourceTensor(
        spec.name, tensor.dtype, shape=tensor.shape, path=path, offset=tensor.offset, nbytes=tensor.nbytes
    )
    check_tensor(source, shape=spec.shape, config=config, index=path, name=tensor.name)
    return source


def add_token_ids(contents: Contents, vocabulary: Vocabulary, path: Path) -> Contents:
    """Take the ids of the first and the last token from the tokenizer if the config.json at `path` has none."""
    given = read_object(path)
    ids = {role: vocabulary.find(token) for role, token in vocabulary.roles.items()}
    end, start = ids.get("eos_token"), ids.get("bos_token")
    config = contents.config
    if given.get("eos_token_id") is None and end is not None:
        config = replace(config, eos_token_id=end)
    if config.bos_token_id is None:
        config = replace(config, bos_token_id=config.eos_token_id if start is None else start)
    return replace(contents, config=config)
