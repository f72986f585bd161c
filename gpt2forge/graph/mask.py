"""Writes the additive attention mask of the unfused graph: which token may attend to which."""

import onnx_ir as ir

from gpt2forge.graph.builder import Builder

HIDDEN = -3e38
"""Added to the score of a hidden key. It is finite so that a row without visible keys, a pad token's, gives no NaN."""


def write_mask(graph: Builder, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
    """Write the nodes `mask.*`; return (B, 1, S, T), 0 where a token may attend and HIDDEN elsewhere."""
    padding = write_padding(graph, attention_mask)  # (B, 1, 1, T)
    causal = write_causal(graph, input_ids, attention_mask)  # (S, T)
    return graph.op("mask.bias", "Min", [padding, causal])  # (B, 1, S, T)


def write_padding(graph: Builder, attention_mask: ir.Value) -> ir.Value:
    """Return (B, 1, 1, T), HIDDEN at the positions where `attention_mask` is 0."""
    absent = graph.op("mask.absent", "Equal", [attention_mask, graph.integers("mask.zero", 0)])  # (B, T)
    spread = graph.op("mask.absent_keys", "Unsqueeze", [absent, graph.integers("mask.middle_axes", [1, 2])])
    return graph.op("mask.padding", "Where", [spread, *refer_biases(graph)])  # (B, 1, 1, T)


def write_causal(graph: Builder, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
    """Return (S, T), HIDDEN at the keys after each query; the queries are the last S of T positions."""
    new = graph.op("mask.new_length", "Squeeze", [write_new_length(graph, input_ids)])  # ()
    total = graph.op("mask.total_length", "Squeeze", [write_total_length(graph, attention_mask)])  # ()
    past = graph.op("mask.past_length", "Sub", [total, new])  # ()
    step = graph.integers("mask.one", 1)
    keys = graph.op("mask.keys", "Range", [graph.integers("mask.zero", 0), total, step])  # (T,)
    queries = graph.op("mask.queries", "Range", [past, total, step])  # (S,)
    column = graph.op("mask.query_column", "Unsqueeze", [queries, graph.integers("mask.last_axis", [1])])  # (S, 1)
    later = graph.op("mask.later", "Greater", [keys, column])  # (S, T)
    return graph.op("mask.causal", "Where", [later, *refer_biases(graph)])  # (S, T)


def write_new_length(graph: Builder, input_ids: ir.Value) -> ir.Value:
    """Return S as a list of one, (1,)."""
    return graph.op("mask.new_shape", "Shape", [input_ids], {"start": 1, "end": 2})


def write_total_length(graph: Builder, attention_mask: ir.Value) -> ir.Value:
    """Return T as a list of one, (1,)."""
    return graph.op("mask.total_shape", "Shape", [attention_mask], {"start": 1, "end": 2})


def refer_biases(graph: Builder) -> tuple[ir.Value, ir.Value]:
    """Return what is added to the score of a hidden and of a visible key."""
    return graph.floats("mask.hidden", HIDDEN), graph.floats("mask.visible", 0.0)
