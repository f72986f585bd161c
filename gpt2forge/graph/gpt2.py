"""Writes GPT-2 as a graph of standard ONNX operators, node by node.

Passes and quantization find nodes by name. The output of a node has the node's name. Layers are numbered from 0:

    wte, wpe, embed
    h.0.ln_1
    h.0.attn.c_attn, .bias_add, h.0.attn.core.*, h.0.attn.c_proj, .bias_add, h.0.attn.residual
    h.0.ln_2
    h.0.mlp.c_fc, .bias_add, h.0.mlp.act.*, h.0.mlp.c_proj, .bias_add, h.0.mlp.residual
    ...
    logits_to_keep.*: after the attention of the last layer, because no later node mixes positions
    ln_f, lm_head.flatten, lm_head, lm_head.unflatten

See Language Models are Unsupervised Multitask Learners, section 2.3, and
https://github.com/openai/gpt-2/blob/master/src/model.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.graph.activation import write_activation
from gpt2forge.graph.attention import Heads, choose_scale, write_attention
from gpt2forge.graph.builder import Builder
from gpt2forge.graph.dimensions import Dimensions, StoredTensors
from gpt2forge.graph.interface import (
    KEPT_RESIDUAL,
    LOGITS,
    declare_logits_to_keep,
    declare_past,
    declare_tokens,
    type_outputs,
)
from gpt2forge.graph.mask import write_mask
from gpt2forge.graph.weight_refs import Weights

OPSET = 17  # the first with LayerNormalization, so that as many runtimes as possible open the graph
IR_VERSION = 8  # the one of opset 17
LAST = (1 << 63) - 1


@dataclass(frozen=True)
class Writer:
    """The writer of the model's parts. Axes: B batch, S new positions, E hidden width, I inner width."""

    graph: Builder
    weight: Weights
    config: Dimensions

    def layer_norm(self, name: str, x: ir.Value) -> ir.Value:
        """Write a layer norm, (B, S, E) to (B, S, E)."""
        width = self.config.n_embd
        weights = [self.weight(f"{name}.weight", width), self.weight(f"{name}.bias", width)]
        attributes = {"axis": -1, "epsilon": self.config.layer_norm_epsilon}
        return self.graph.op(name, "LayerNormalization", [x, *weights], attributes)

    def linear(self, name: str, x: ir.Value, width_in: int, width_out: int) -> ir.Value:
        """Write a linear layer, (B, S, width_in) to (B, S, width_out); its weight is stored as (in, out)."""
        product = self.graph.op(name, "MatMul", [x, self.weight(f"{name}.weight", width_in, width_out)])
        return self.graph.op(f"{name}.bias_add", "Add", [product, self.weight(f"{name}.bias", width_out)])


def build_graph(config: Dimensions, tensors: StoredTensors) -> ir.Model:
    """Write the model whose weights are in `tensors`, by the names of transformers, without copying any.

    See `interface` for its inputs and outputs. Raises UserError if a tensor is missing or does not have the shape that
    `config` implies.
    """
    graph = Builder()
    write = Writer(graph, Weights(graph, tensors), config)
    input_ids, attention_mask, position_ids = declare_tokens()
    logits_to_keep = declare_logits_to_keep()
    pasts = [declare_past(config, layer) for layer in range(config.n_layer)]

    x = write_embedding(write, input_ids, position_ids)  # (B, S, E)
    bias = write_mask(graph, input_ids, attention_mask)  # (B, 1, S, T)
    presents: list[ir.Value] = []
    for layer, past in enumerate(pasts):
        kept = logits_to_keep if layer == config.n_layer - 1 else None
        # x is (B, S, E), after the last layer (B, K, E)
        x, *cache = write_layer(write, layer, x, past=past, bias=bias, logits_to_keep=kept)
        presents.extend(cache)
    x = write.layer_norm("ln_f", x)  # (B, K, E)
    logits = write_head(write, x)  # (B, K, V)

    type_outputs(config, logits, presents)
    inputs = [input_ids, attention_mask, position_ids, *(value for past in pasts for value in past), logits_to_keep]
    return make_model(graph, inputs, [logits, *presents], [logits_to_keep])


def make_model(
    graph: Builder, inputs: Sequence[ir.Value], outputs: Sequence[ir.Value], defaults: Sequence[ir.Value]
) -> ir.Model:
    """Assemble a model; `defaults` are the inputs that need not be fed."""
    initializers = [*defaults, *graph.initializers.values()]
    opsets = {"": OPSET}
    body = ir.Graph(inputs, outputs, nodes=graph.nodes, initializers=initializers, opset_imports=opsets, name="gpt2")
    return ir.Model(body, ir_version=IR_VERSION, producer_name="gpt2forge")


def write_embedding(write: Writer, input_ids: ir.Value, position_ids: ir.Value) -> ir.Value:
    """Write the sum of token and position embeddings, (B, S) twice to (B, S, E)."""
    config = write.config
    tokens = write.weight("wte.weight", config.vocab_size, config.n_embd)
    positions = write.weight("wpe.weight", config.n_positions, config.n_embd)
    token = write.graph.op("wte", "Gather", [tokens, input_ids])  # (B, S, E)
    position = write.graph.op("wpe", "Gather", [positions, position_ids])  # (B, S, E)
    return write.graph.op("embed", "Add", [token, position])  # (B, S, E)


def write_layer(
    write: Writer, layer: int, x: ir.Value, past: Sequence[ir.Value], bias: ir.Value, logits_to_keep: ir.Value | None
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Write one layer, (B, S, E) to (B, S, E); return all its keys and values too, (B, H, T, D) each.

    With `logits_to_keep` the layer returns only the positions whose logits are kept, (B, K, E).
    """
    graph, width, inner = write.graph, write.config.n_embd, write.config.n_inner
    name = f"h.{layer}"
    heads = Heads(write.config.n_head, write.config.head_width)

    normed = write.layer_norm(f"{name}.ln_1", x)  # (B, S, E)
    packed = write.linear(f"{name}.attn.c_attn", normed, width, 3 * width)  # (B, S, 3*E)
    scale = choose_scale(write.config, layer)
    attention = write_attention(graph, layer, heads, scale=scale, packed=packed, past=past, bias=bias)
    mixed, key, value = attention  # (B, S, E), and (B, H, T, D) twice
    if logits_to_keep is not None:
        x, mixed = write_kept(graph, logits_to_keep, x, mixed)  # (B, K, E)
    branch = write.linear(f"{name}.attn.c_proj", mixed, width, width)  # (B, S, E)
    x = graph.op(f"{name}.attn.residual", "Add", [x, branch])  # (B, S, E)

    normed = write.layer_norm(f"{name}.ln_2", x)  # (B, S, E)
    wide = write.linear(f"{name}.mlp.c_fc", normed, width, inner)  # (B, S, I)
    active = write_activation(graph, write.config.activation_function, f"{name}.mlp.act", wide)  # (B, S, I)
    branch = write.linear(f"{name}.mlp.c_proj", active, inner, width)  # (B, S, E)
    x = graph.op(f"{name}.mlp.residual", "Add", [x, branch])  # (B, S, E)
    return x, key, value


def write_kept(graph: Builder, logits_to_keep: ir.Value, x: ir.Value, mixed: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Write slices of the last `logits_to_keep` positions (0: all) of both, (B, S, E) twice to (B, K, E)."""
    start = graph.op("logits_to_keep.start", "Neg", [logits_to_keep])  # (1,)
    bounds = [start, graph.integers("logits_to_keep.end", [LAST]), graph.integers("logits_to_keep.axis", [1])]
    return graph.op(KEPT_RESIDUAL, "Slice", [x, *bounds]), graph.op("logits_to_keep.mixed", "Slice", [mixed, *bounds])


def write_head(write: Writer, x: ir.Value) -> ir.Value:
    """Write the LM head, (B, K, E) to the logits (B, K, V)."""
    graph, config = write.graph, write.config
    rows = graph.op("lm_head.flatten", "Reshape", [x, graph.integers("lm_head.row_shape", [-1, config.n_embd])])
    table = write.weight("wte.weight" if config.tied else "lm_head.weight", config.vocab_size, config.n_embd)
    flat = graph.op("lm_head", "Gemm", [rows, table], {"transB": 1})  # (B*K, V); transB uses the table as it is stored
    leading = graph.op("lm_head.leading", "Shape", [x], {"start": 0, "end": 2})  # (2,)
    vocabulary = graph.integers("lm_head.vocabulary", [config.vocab_size])
    shape = graph.op("lm_head.shape", "Concat", [leading, vocabulary], {"axis": 0})  # (3,)
    return graph.node("lm_head.unflatten", "Reshape", [flat, shape], outputs=[LOGITS])[0]  # (B, K, V)
