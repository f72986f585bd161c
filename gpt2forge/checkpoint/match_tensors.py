"""Matches the tensors that files hold with those that a GPT-2 has, by the names that transformers gives them.

1. A name is a prefix, `transformer.` or nothing, and the name inside the model. The prefix is one or more of PREFIXES,
   which wrappers around a model add; `wte.weight` shows it. The LM head stands beside the model: `lm_head.weight`.
2. The causal mask, which old versions of transformers saved as a buffer, is left out.
3. What is trained for another task (a classifier, a value head, cross-attention) is refused by name: without it the
   model is not what it was trained for. A multiple-choice head beside an LM head is left out, and a note says so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import Contents, LeftOut, SourceTensor, check_apart, check_tensor
from gpt2forge.checkpoint.names import HEAD, PREFIX, TensorSpec, list_specs
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

EMBEDDING, POSITIONS = "wte.weight", "wpe.weight"
PREFIXES = ("transformer", "module", "_orig_mod", "_module", "model", "base_model", "gpt2")
WRAPPED = re.compile(rf"((?:{'|'.join(PREFIXES)})\.)*", re.ASCII)
BUFFER = re.compile(r"h\.\d+\.attn\.(masked_)?bias", re.ASCII)
SECOND_HEAD = "multiple_choice_head."  # of GPT2DoubleHeadsModel
FOREIGN = (
    (re.compile(r"(score|classifier)\.", re.ASCII), "a classifier, whose head would be lost"),
    (re.compile(r"(v_head|value_head|summary)\.", re.ASCII), "a value head, which would be lost"),
    (re.compile(r"qa_outputs\.", re.ASCII), "a head that finds answers in a text, which would be lost"),
    (re.compile(r"h\.\d+\.(crossattention|ln_cross_attn)\.", re.ASCII), "cross-attention to an encoder"),
    (re.compile(r".*\.lora_[ABE]\b", re.ASCII), "an adapter that is not merged into the weights"),
)
"""Names of tensors that make a model one for another task, with what they are."""

Tensors = Mapping[str, SourceTensor]
"""The tensors of the files by their names there; the shape and type are those of the file."""


def match_tensors(config: ModelConfig, found: Tensors, config_path: Path) -> Contents:
    """Return the tensors of the model in the order of the weights artifact, and what is left out.

    Raises UserError if a tensor is missing, unknown, for another task, or has another shape than the config implies.
    """
    named = strip_prefixes(restore_embedding(rename_norms(found), config), config_path.parent)
    refuse_foreign(named)
    specs = list_expected(config, named, config_path)
    buffers = [name for name in named if BUFFER.fullmatch(name) or name.startswith(SECOND_HEAD)]
    refuse_unknown(named, {spec.name.removeprefix(PREFIX) for spec in specs} | set(buffers), config)
    tensors = tuple(locate(spec, named[spec.name.removeprefix(PREFIX)], config_path) for spec in specs)
    check_apart(tensors)
    left_out = tuple(LeftOut(name, named[name].dtype, named[name].nbytes) for name in buffers)
    return Contents(config, tensors, left_out, notes=tuple(list_notes(buffers)))


def rename_norms(found: Tensors) -> Tensors:
    """Return the tensors with the names that transformers gives to those of old ports: gamma and beta."""
    endings = {".gamma": ".weight", ".beta": ".bias"}

    def rename(name: str) -> str:
        ending = next((old for old in endings if name.endswith(old)), None)
        return name if ending is None else name.removesuffix(ending) + endings[ending]

    return {rename(name): tensor for name, tensor in found.items()}


def restore_embedding(found: Tensors, config: ModelConfig) -> Tensors:
    """Return the tensors with the token embedding, where only the LM head holds it: `save_model` keeps one of both."""
    positions = [name for name in found if f".{name}".endswith(f".{POSITIONS}")]
    if not config.tied or len(positions) != 1 or any(f".{name}".endswith(f".{EMBEDDING}") for name in found):
        return found
    inner = positions[0].removesuffix(POSITIONS)
    outer = inner.removesuffix(PREFIX) + HEAD
    if outer not in found:
        return found
    return {inner + EMBEDDING if name == outer else name: tensor for name, tensor in found.items()}


def strip_prefixes(found: Tensors, folder: Path) -> dict[str, SourceTensor]:
    """Return the tensors by their names inside the model (rule 1). Raises UserError for two models in one file."""
    ends = sorted(name for name in found if name == EMBEDDING or name.endswith(f".{EMBEDDING}"))
    if not ends:
        raise UserError(f"{folder}: `{PREFIX}{EMBEDDING}` is missing; is this a GPT-2, and is the download complete?")
    if len({name.removesuffix(EMBEDDING).removesuffix(PREFIX) for name in ends}) > 1:
        shown = " and ".join(quote_untrusted(name) for name in ends[:2])
        raise UserError(f"{found[ends[1]].path}: holds {shown}, the embeddings of two models; keep one of them")
    inner = ends[0].removesuffix(EMBEDDING)
    outer = inner.removesuffix(PREFIX)
    if not WRAPPED.fullmatch(inner):
        raise UserError(
            f"{found[ends[0]].path}: {quote_untrusted(ends[0])}: the model is a part of another one; "
            "save the GPT-2 by itself, with `model.save_pretrained(folder)`"
        )
    named: dict[str, SourceTensor] = {}
    for name, tensor in found.items():
        short = name.removeprefix(outer).removeprefix(PREFIX)
        if short in named:
            raise UserError(
                f"{tensor.path}: {quote_untrusted(name)} occurs twice, with and without `{PREFIX}`; keep one"
            )
        named[short] = tensor
    return named


def refuse_foreign(named: Tensors) -> None:
    """Raise UserError if a tensor shows that the model is for another task (rule 3)."""
    for name, tensor in named.items():
        for pattern, what in FOREIGN:
            if pattern.match(name):
                raise UserError(
                    f"{tensor.path}: holds {quote_untrusted(name)}: {what}; only a model that writes text can be built"
                )


def list_expected(config: ModelConfig, named: Tensors, config_path: Path) -> list[TensorSpec]:
    """Return every tensor that the model must have. Raises UserError if one is not among those found."""
    specs = []
    for spec in list_specs(config):  # stops at the first missing tensor, however many layers the config claims
        if spec.name.removeprefix(PREFIX) not in named:
            raise UserError(
                f"{config_path.parent}: `{spec.name}` {list(spec.shape)} is missing; is the download complete?"
            )
        specs.append(spec)
    if HEAD in named:
        specs.append(TensorSpec(HEAD, openai="", shape=(config.vocab_size, config.n_embd)))
    elif not config.tied:
        raise UserError(
            f"{config_path}: says `tie_word_embeddings: false`, but `{HEAD}` is missing; is the download complete?"
        )
    return specs


def refuse_unknown(named: Tensors, known: set[str], config: ModelConfig) -> None:
    """Raise UserError if a tensor is not known."""
    for name in sorted(named.keys() - known):
        raise UserError(
            f"{named[name].path}: holds {quote_untrusted(name)}, which a GPT-2 with {config.n_layer} layers does not "
            "have; write it again with `GPT2LMHeadModel.from_pretrained(...).save_pretrained(...)`"
        )


def locate(spec: TensorSpec, tensor: SourceTensor, config_path: Path) -> SourceTensor:
    """Check a tensor of a file against the model and give it its name there."""
    check_tensor(tensor, shape=spec.shape, config=config_path, index=tensor.path, name=tensor.name)
    return replace(tensor, name=spec.name)


def list_notes(left_out: list[str]) -> Iterator[str]:
    """Yield what a user should know of the tensors that are left out."""
    if any(name.startswith(SECOND_HEAD) for name in left_out):
        yield "the multiple-choice head of a double-heads model is left out; the package writes text"
