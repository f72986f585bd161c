"""Reads a GPT-2 as nanoGPT saves it: `model_args` and a state_dict, and where each tensor lies in ckpt.pt.

1. nanoGPT's linear layers are [out, in]; GPT-2's are [in, out]. Their shapes show which ones the file holds. A file in
   GPT-2's own layout is taken as one of transformers.
2. With `bias: false` no layer has a bias. In GPT-2 all have one, so they are zeros.
3. The file does not name the activation. It is the exact GELU since June 2023 (nanoGPT's pull request 274), and was
   GPT-2's approximation before. `model_args` without `bias`, which was added in January 2023, show the older one.
4. nanoGPT pads the vocabulary to a multiple of 64, so that GPT-2's 50257 tokens have 50304 rows. The rows of no token
   are left out.

https://github.com/karpathy/nanoGPT/blob/master/model.py
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.config import ModelConfig, parse_config
from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.derive_tensors import cut_rows, make_zeros, transpose
from gpt2forge.checkpoint.match_tensors import EMBEDDING, match_tensors
from gpt2forge.checkpoint.names import HEAD
from gpt2forge.checkpoint.pytorch_file import PyTorchFile, load_pytorch
from gpt2forge.checkpoint.recognize import SAVE
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

SHAPE_KEYS = {"vocab_size": "vocab_size", "block_size": "n_positions"}
SHAPE_KEYS |= {key: key for key in ("n_embd", "n_head", "n_layer")}
OTHER_KEYS = ("bias", "dropout")
FIRST_LINEAR = "h.0.attn.c_attn.weight"
LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BIASED = (*LINEAR, "ln_1.weight", "ln_2.weight", "ln_f.weight")
MOST_NAMES = 3  # in a message
MOST_PADDING = 128  # rows; some trainers pad to a multiple of 128

Tensors = Mapping[str, SourceTensor]


def read_nanogpt(path: Path, tokenizer: SourceTokenizer) -> Contents:
    """Find where every tensor of the model in ckpt.pt lies. It reads no weights.

    Raises UserError if the file is damaged, is not nanoGPT's, or holds a variant that is not supported.
    """
    file = load_pytorch(path)
    args = find_part(file, "model_args")
    refuse_variants(args, path)
    tensors = file.list_tensors(find_part(file, "model"))
    rows = find_rows(args, tokenizer)
    has_nanogpt_layout = is_transposed(tensors)
    if has_nanogpt_layout:
        tensors = {name: transpose(tensor) if name.endswith(LINEAR) else tensor for name, tensor in tensors.items()}
    if args.get("bias") is False:
        tensors |= {zeros.name: zeros for zeros in list_zero_biases(tensors)}
    activation = "gelu" if has_nanogpt_layout and "bias" in args else "gelu_new"
    config = parse_config(make_config(args, rows, activation), path)
    tables = {name: cut_rows(each, config.vocab_size) for name, each in tensors.items() if is_table(name)}
    contents = match_tensors(config, {**tensors, **tables}, path)
    notes = (*contents.notes, *list_notes(args, config, tokenizer))
    return replace(contents, step=read_step(file.value), notes=notes)


def find_part(file: PyTorchFile, key: str) -> Mapping[Any, Any]:
    """Return a mapping in the file. Raises UserError if there is none."""
    values = file.value if isinstance(file.value, Mapping) else {}
    part = values.get(key)
    if not isinstance(part, Mapping):
        held = ", ".join(quote_untrusted(name) for name in list(values)[:MOST_NAMES]) or "no names"
        raise UserError(
            f"{file.path}: has no `{key}`, so it is no checkpoint of nanoGPT (it holds {held}); load it with the code "
            f"that trained it, and write its GPT2LMHeadModel with {SAVE}"
        )
    return part


def refuse_variants(args: Mapping[Any, Any], path: Path) -> None:
    """Raise UserError if a setting that a fork of nanoGPT added is on."""
    for key, value in args.items():
        is_off = value is None or (type(value) in (bool, int, float) and not value)
        if key not in SHAPE_KEYS and key not in OTHER_KEYS and not is_off:
            raise UserError(f"{path}: `model_args` has {quote_untrusted(f'{key}: {value}')}, which GPT-2 does not have")


def find_rows(args: Mapping[Any, Any], tokenizer: SourceTokenizer) -> Any:
    """Return the number of tokens, without padding (rule 4)."""
    rows = args.get("vocab_size")
    is_padded = type(rows) is int and tokenizer.size > 0 and 0 < rows - tokenizer.size < MOST_PADDING
    return tokenizer.size if is_padded else rows


def is_transposed(tensors: Tensors) -> bool:
    """Return whether the linear layers are [out, in] (rule 1)."""
    shapes = [tensor.shape for name, tensor in tensors.items() if name.endswith(FIRST_LINEAR)]
    return len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][0] == 3 * shapes[0][1]


def is_table(name: str) -> bool:
    """Return whether a tensor has a row for each token."""
    return name.endswith((EMBEDDING, HEAD))


def list_zero_biases(tensors: Tensors) -> Iterator[SourceTensor]:
    """Yield the biases that a model without any lacks (rule 2)."""
    for name, tensor in tensors.items():
        bias = f"{name.removesuffix('weight')}bias"
        if name.endswith(BIASED) and bias not in tensors and tensor.shape:
            yield make_zeros(bias, tensor.shape[-1], tensor.path)


def make_config(args: Mapping[Any, Any], rows: Any, activation: str) -> dict[str, Any]:
    """Return the values of a config.json."""
    sizes = {**args, "vocab_size": rows} if "vocab_size" in args else args
    values = {ours: sizes[theirs] for theirs, ours in SHAPE_KEYS.items() if theirs in sizes}
    return {**values, "activation_function": activation, "layer_norm_epsilon": 1e-5}


def list_notes(args: Mapping[Any, Any], config: ModelConfig, tokenizer: SourceTokenizer) -> Iterator[str]:
    """Yield what a user should know of the choices."""
    rows = config.vocab_size
    if rows < args["vocab_size"]:
        padding = args["vocab_size"] - rows
        yield f"the last {padding} of {args['vocab_size']} rows of the vocabulary are padding, and are left out"
    elif rows > tokenizer.size:
        yield f"the model has {rows} tokens, the tokenizer {tokenizer.size}; all rows are kept"
    is_exact = config.activation_function == "gelu"
    which = "the exact GELU, nanoGPT's since June 2023" if is_exact else "GPT-2's approximate GELU"
    yield f"`ckpt.pt` does not name its activation; it is built with {which}"


def read_step(value: Mapping[Any, Any]) -> int | None:
    """Return the training step."""
    step = value.get("iter_num")
    return step if type(step) is int and step >= 0 else None
