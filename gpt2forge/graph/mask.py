"""Which token may look at which: the additive mask of the unfused graph."""

import onnx_ir as ir

from gpt2forge.graph.builder import Builder

HIDDEN = -3e38
"""Added to a score that must not count. Finite: a row that sees nothing (a pad token's own) then gives no NaN."""


def write_mask(graph: Builder, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
    """Write the `mask.*` nodes; give 0 where a token may look and HIDDEN elsewhere, (B, 1, S, T)."""
    padding = write_padding(graph, attention_mask)  # (B, 1, 1, T)
    causal = write_causal(graph, input_ids, attention_mask)  # (S, T)
    return graph.op("mask.bias", "Min", [padding, causal])  # (B, 1, S, T)


def write_padding(graph: Builder, attention_mask: ir.Value) -> ir.Value:
    """HIDDEN at the positions that `attention_mask` leaves out, (B, 1, 1, T)."""
    absent = graph.op("mask.absent", "Equal", [attention_mask, graph.integers("mask.zero", 0)])  # (B, T)
    spread = graph.op("mask.absent_keys", "Unsqueeze", [absent, graph.integers("mask.middle_axes", [1, 2])])
    return graph.op("mask.padding", "Where", [spread, *effects(graph)])  # (B, 1, 1, T)


def write_causal(graph: Builder, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
    """HIDDEN at the keys that come after a query, (S, T); the queries are the last S of T positions."""
    new = graph.op("mask.new_length", "Squeeze", [shape_of_new(graph, input_ids)])  # ()
    total = graph.op("mask.total_length", "Squeeze", [shape_of_total(graph, attention_mask)])  # ()
    past = graph.op("mask.past_length", "Sub", [total, new])  # ()
    step = graph.integers("mask.one", 1)
    keys = graph.op("mask.keys", "Range", [graph.integers("mask.zero", 0), total, step])  # (T,)
    queries = graph.op("mask.queries", "Range", [past, total, step])  # (S,)
    column = graph.op("mask.query_column", "Unsqueeze", [queries, graph.integers("mask.last_axis", [1])])  # (S, 1)
    later = graph.op("mask.later", "Greater", [keys, column])  # (S, T)
    return graph.op("mask.causal", "Where", [later, *effects(graph)])  # (S, T)


def shape_of_new(graph: Builder, input_ids: ir.Value) -> ir.Value:
    """S, as a list of one, (1,)."""
    return graph.op("mask.new_shape", "Shape", [input_ids], {"start": 1, "end": 2})


def shape_of_total(graph: Builder, attention_mask: ir.Value) -> ir.Value:
    """T, as a list of one, (1,)."""
    return graph.op("mask.total_shape", "Shape", [attention_mask], {"start": 1, "end": 2})


def effects(graph: Builder) -> tuple[ir.Value, ir.Value]:
    """What a hidden and a visible position add to a score."""
    return graph.floats("mask.hidden", HIDDEN), graph.floats("mask.visible", 0.0)
