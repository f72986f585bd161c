"""Declares the inputs and outputs of every graph, by the names that onnxruntime, Optimum and transformers.js feed."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.dimensions import Dimensions

BATCH = "batch_size"
NEW = "sequence_length"
PAST = "past_sequence_length"
TOTAL = "total_sequence_length"
KEPT = f"{NEW} + 0"  # see type_outputs

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
POSITION_IDS = "position_ids"
LOGITS_TO_KEEP = "logits_to_keep"
LOGITS = "logits"
IN_PLACE = "GroupQueryAttention"  # the operator that can extend keys and values in their own memory
MANY_TOKENS = "few_rows.many"
"""The initializer, (), from whose number of tokens on a run takes other products, in graphs that have two of each."""
KEPT_RESIDUAL = "logits_to_keep.residual"
"""The value that holds the kept rows of the last layer, after its attention."""


class Named(Protocol):
    """An input of a graph or of a session."""

    @property
    def name(self) -> str | None: ...


def past_names(layer: int) -> tuple[str, str]:
    """Return the names of the inputs that hold the keys and values of the earlier tokens."""
    return f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"


def present_names(layer: int) -> tuple[str, str]:
    """Return the names of the outputs that hold the keys and values of all tokens."""
    return f"present.{layer}.key", f"present.{layer}.value"


def count_layers(inputs: Iterable[Named]) -> int:
    """Count the layers of a graph or session with these inputs."""
    known = {value.name for value in inputs}
    layer = 0
    while past_names(layer)[0] in known:
        layer += 1
    return layer


def find_cache(graph: ir.Graph) -> ir.Value:
    """Return the input that holds the earlier keys of the first layer, (B, H, P, D)."""
    return next(value for value in graph.inputs if value.name == past_names(0)[0])


def find_many(graph: ir.Graph) -> int | None:
    """Return from how many tokens of all texts on a run takes other products; None if all runs take the same."""
    value = graph.initializers.get(MANY_TOKENS)
    return None if value is None or value.const_value is None else int(value.const_value.numpy())


def declare(name: str, dtype: ir.DataType, dimensions: tuple[int | str, ...]) -> ir.Value:
    """Return an input or output of a graph; a dimension that is a word is symbolic."""
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(dimensions))


def declare_tokens() -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return the inputs `input_ids` (B, S), `attention_mask` (B, T) and `position_ids` (B, S)."""
    return (
        declare(INPUT_IDS, ir.DataType.INT64, (BATCH, NEW)),
        declare(ATTENTION_MASK, ir.DataType.INT64, (BATCH, TOTAL)),
        declare(POSITION_IDS, ir.DataType.INT64, (BATCH, NEW)),
    )


def declare_past(config: Dimensions, layer: int) -> tuple[ir.Value, ir.Value]:
    """Return the inputs for the earlier keys and values of one layer, (B, H, P, D) each."""
    key, value = past_names(layer)
    dimensions = (BATCH, config.n_head, PAST, config.head_width)
    return declare(key, ir.DataType.FLOAT, dimensions), declare(value, ir.DataType.FLOAT, dimensions)


def declare_logits_to_keep() -> ir.Value:
    """Return an input (1,) that need not be fed: its initializer 0 keeps the logits of all positions."""
    value = declare(LOGITS_TO_KEEP, ir.DataType.INT64, (1,))
    value.const_value = ir.Tensor(np.zeros(1, np.int64), name=LOGITS_TO_KEEP)
    return value


def type_outputs(config: Dimensions, logits: ir.Value, presents: Iterable[ir.Value]) -> None:
    """Set the types and shapes of the outputs: logits (B, K, V), and keys and values (B, H, T, D).

    K is S unless a host feeds `logits_to_keep`, so its name must not be that of S. Optimum allocates outputs before it
    runs a graph. It takes the name of an axis for an expression of the inputs' axes, so K's name is one that yields S.
    https://github.com/huggingface/optimum-onnx/blob/main/optimum/onnxruntime/base.py, `_dynamic_axis_inference`.
    """
    logits.type, logits.shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape((BATCH, KEPT, config.vocab_size))
    for present in presents:
        present.type = ir.TensorType(ir.DataType.FLOAT)
        present.shape = ir.Shape((BATCH, config.n_head, TOTAL, config.head_width))


def extends_in_place(graph: ir.Graph) -> bool:
    """Return whether the same memory may be bound as past and present; otherwise each run returns new memory."""
    return any(node.op_type == IN_PLACE for node in graph.all_nodes())
