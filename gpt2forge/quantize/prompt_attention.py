"""Computes the attention of prompts over an int8 cache in float32.

onnxruntime's kernel for an int8 cache suits one token, but a prompt of 1000 takes three to five times as long as in its
float32 kernel. So each layer has an If. Fewer than PROMPT new tokens take the int8 kernel. More take these steps:

1. The new keys and values are rounded as the cache stores them, so both ways attend to the same numbers.
2. The float32 kernel reads them, and the earlier ones as float32.
3. The rounded ones are written behind the earlier ones: in the memory that a host bound both as past and as present, or
   in a longer copy.

Shapes: B texts, S new tokens, P earlier ones, H heads of width D. A cache that is bound in place has room for more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.attention import Heads, write_heads
from gpt2forge.graph.builder import MICROSOFT, NONE, Attribute, Builder
from gpt2forge.graph.edit import index_nodes, insert_nodes, start_edit
from gpt2forge.graph.interface import IN_PLACE, find_cache
from gpt2forge.quantize.blocks import Floats

PROMPT = 32  # new tokens; these steps convert the whole past to float32, which fewer tokens are not worth
PARTS = ("key", "value")
CACHE, LENGTHS, MASK = slice(3, 5), slice(5, 7), slice(10, 12)  # the inputs of the attention node


@dataclass(frozen=True)
class Prompt:
    """Values that all layers share: whether there are PROMPT new tokens, and where their keys and values belong."""

    is_long: ir.Value  # ()
    has_room: ir.Value  # (), whether the cache that was fed has room for all tokens
    past: ir.Value  # (1,), the number of earlier tokens
    places: ir.Value  # (B, H, S, 3): batch, head and position of each new row of the cache


def write_prompt(graph: ir.Graph, heads: int) -> Prompt:
    """Insert the nodes `prompt.*`, which the layers share, behind those of the mask."""
    nodes, new = index_nodes(graph), start_edit(graph)
    cache = find_cache(graph)
    total, length = nodes["mask.total_length"].outputs[0], nodes["mask.new_shape"].outputs[0]  # (), (1,)
    count = new.op("prompt.length", "Squeeze", [length])  # ()
    is_long = new.op("prompt.is_long", "GreaterOrEqual", [count, new.integers("prompt.least", PROMPT)])
    capacity = new.op("prompt.capacity_list", "Shape", [cache], {"start": 2, "end": 3})  # (1,)
    has_room = new.op("prompt.has_room", "GreaterOrEqual", [new.op("prompt.capacity", "Squeeze", [capacity]), total])
    past = new.op("prompt.past_list", "Sub", [total, length])  # (1,)
    batch = new.op("prompt.batch", "Shape", [cache], {"start": 0, "end": 1})  # (1,)
    zero, one = new.integers("prompt.zero", 0), new.integers("prompt.one", 1)
    axes = [
        new.op("prompt.rows", "Range", [zero, new.op("prompt.batch_size", "Squeeze", [batch]), one]),
        new.integers("prompt.heads", list(range(heads))),
        new.op("prompt.positions", "Range", [new.op("prompt.past", "Squeeze", [past]), total, one]),
    ]
    sizes = [batch, new.integers("prompt.head_count", [heads]), length, new.integers("prompt.single", [1])]
    shape = new.op("prompt.places_shape", "Concat", sizes, {"axis": 0})  # (4,)
    spread = [spread_axis(new, axis, number, shape) for number, axis in enumerate(axes)]
    places = new.op("prompt.places", "Concat", spread, {"axis": 3})
    insert_nodes(graph, nodes["mask.last_of_each"], new)
    return Prompt(is_long, has_room, past, places)


def spread_axis(new: Builder, axis: ir.Value, number: int, shape: ir.Value) -> ir.Value:
    """Return the indices along one axis for every new row of the cache, (B, H, S, 1)."""
    form = new.integers(f"prompt.axis_shape.{number}", [-1 if place == number else 1 for place in range(4)])
    along = new.op(f"prompt.axis.{number}", "Reshape", [axis, form])
    return new.op(f"prompt.indices.{number}", "Expand", [along, shape])


@dataclass(frozen=True)
class CachedLayer:
    """A layer's attention node over a float32 cache, and the scales (H, D) of its int8 keys and values."""

    node: ir.Node
    heads: Heads
    scales: Mapping[str, Floats]

    @property
    def name(self) -> str:
        return str(self.node.name)

    def write_scales(self, new: Builder, part: str, shape: Sequence[int]) -> ir.Value:
        """Return the scales of the keys or values as a constant of one of the shapes that broadcast."""
        name = self.name.removesuffix(".core")
        return new.constant(f"{name}.{part}.scales.{len(shape)}", self.scales[part].reshape(shape))


def choose_attention(layer: CachedLayer, attributes: Mapping[str, Attribute], prompt: Prompt, new: Builder) -> None:
    """Add an If with the name and the outputs of the attention node to `new`.

    `attributes` are those that the node has over an int8 cache besides its own.
    """
    branches = {
        "then_branch": write_long(layer, prompt, new),
        "else_branch": write_short(layer, attributes, new),
    }
    outputs = [str(value.name) for value in layer.node.outputs]
    new.node(layer.name, "If", [prompt.is_long], branches, outputs=outputs)


def write_short(layer: CachedLayer, attributes: Mapping[str, Attribute], new: Builder) -> ir.Graph:
    """Return the branch for few new tokens, the node over the int8 cache itself."""
    name, branch = f"{layer.name}.token", Builder()
    scales = [layer.write_scales(new, part, (1, layer.heads.count, 1, layer.heads.width)) for part in PARTS]
    found = write_node(branch, name, layer.node, [*layer.node.inputs, *scales], attributes)
    return make_branch(name, branch, found, layer.node.outputs)


def write_long(layer: CachedLayer, prompt: Prompt, new: Builder) -> ir.Graph:
    """Return the branch for a prompt, the three steps."""
    name, branch = f"{layer.name}.prompt", Builder(initializers=new.initializers)
    places = [f"{name}.{part}" for part in ("query", *PARTS)]
    query, *rows = branch.node(f"{name}.split", "Split", layer.node.inputs[:1], {"axis": 2}, outputs=places)
    stored = [round_rows(branch, layer, part, row) for part, row in zip(PARTS, rows, strict=True)]
    added = [read_rows(branch, layer, part, row) for part, row in zip(PARTS, stored, strict=True)]
    earlier = [read_past(branch, layer, place, prompt.past) for place in range(len(PARTS))]
    inputs = [query, *added, *earlier, *layer.node.inputs[LENGTHS], None, None, None, *layer.node.inputs[MASK]]
    mixed, *_ = write_node(branch, name, layer.node, inputs)
    heads = [
        write_heads(branch, f"{name}.{part}.new", layer.heads, row) for part, row in zip(PARTS, stored, strict=True)
    ]
    presents = write_presents(branch, layer, prompt, heads)
    return make_branch(name, branch, [mixed, *presents], layer.node.outputs)


def write_node(
    branch: Builder,
    name: str,
    like: ir.Node,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, Attribute] = NONE,
) -> tuple[ir.Value, ...]:
    """Write a node like an attention node, with other inputs and more attributes; return its outputs."""
    own = {key: each.value for key, each in like.attributes.items()}
    outputs = [f"{name}.mixed", *(f"{name}.present_{part}" for part in PARTS)]
    return branch.node(f"{name}.attention", IN_PLACE, inputs, {**own, **attributes}, outputs=outputs, domain=MICROSOFT)


def round_rows(branch: Builder, layer: CachedLayer, part: str, rows: ir.Value) -> ir.Value:
    """Return new keys or values (B, S, H*D) as the cache stores them, int8.

    Division and rounding are two operators because QuantizeLinear takes ten times as long with a scale for each column.
    """
    name = f"{layer.name}.prompt.{part}"
    steps = branch.op(f"{name}.steps", "Div", [rows, layer.write_scales(branch, part, (-1,))])
    step, zero = branch.floats("prompt.step", 1.0), branch.constant("prompt.zero_point", np.zeros((), np.int8))
    return branch.op(f"{name}.stored", "QuantizeLinear", [steps, step, zero])


def read_rows(branch: Builder, layer: CachedLayer, part: str, stored: ir.Value) -> ir.Value:
    """Return stored keys or values (B, S, H*D) as float32."""
    return scale_steps(branch, f"{layer.name}.prompt.{part}.read", stored, layer.write_scales(branch, part, (-1,)))


def scale_steps(branch: Builder, name: str, stored: ir.Value, scales: ir.Value) -> ir.Value:
    """Return int8 numbers as float32, times scales that broadcast."""
    steps = branch.op(f"{name}.steps", "Cast", [stored], {"to": int(ir.DataType.FLOAT)})
    return branch.op(name, "Mul", [steps, scales])


def read_past(branch: Builder, layer: CachedLayer, place: int, past: ir.Value) -> ir.Value:
    """Return the earlier keys or values, float32 (B, H, P, D)."""
    part, name = PARTS[place], f"{layer.name}.prompt.past_{PARTS[place]}"
    start, axis = branch.integers("prompt.start", [0]), branch.integers("prompt.axis", [2])
    whole = layer.node.inputs[CACHE][place]
    filled = branch.op(f"{name}.filled", "Slice", [whole, start, past, axis])
    scales = layer.write_scales(branch, part, (1, layer.heads.count, 1, layer.heads.width))
    return scale_steps(branch, name, filled, scales)


def write_presents(
    branch: Builder, layer: CachedLayer, prompt: Prompt, added: Sequence[ir.Value]
) -> tuple[ir.Value, ...]:
    """Write the new keys and values (B, H, S, D) behind the earlier ones; return both caches."""
    name, pasts, like = f"{layer.name}.prompt", layer.node.inputs[CACHE], layer.node.outputs[1:]
    inside, behind = Builder(), Builder()
    pairs = list(zip(PARTS, pasts, added, strict=True))
    written = [inside.op(f"{name}.{part}.inside", "ScatterND", [past, prompt.places, new]) for part, past, new in pairs]
    longer = [behind.op(f"{name}.{part}.behind", "Concat", [past, new], {"axis": 2}) for part, past, new in pairs]
    branches = {
        "then_branch": make_branch(f"{name}.inside", inside, written, like),
        "else_branch": make_branch(f"{name}.behind", behind, longer, like),
    }
    outputs = [f"{name}.stored_{part}" for part in PARTS]
    return branch.node(f"{name}.store", "If", [prompt.has_room], branches, outputs=outputs)


def make_branch(name: str, branch: Builder, outputs: Sequence[ir.Value], like: Sequence[ir.Value]) -> ir.Graph:
    """Return a branch of an If whose outputs have the types and shapes of others."""
    for output, known in zip(outputs, like, strict=True):
        output.type, output.shape = known.type, known.shape
    return ir.Graph([], outputs, nodes=branch.nodes, name=name)
