"""Writes the activation between the two linear layers of an MLP in standard operators, by its name in `config.json`.

GELU has two forms: with tanh, as GPT-2 was trained (`gelu_new`), and with erf (`gelu`). See
Gaussian Error Linear Units, section 2, https://arxiv.org/abs/1606.08415.
"""

from collections.abc import Callable, Mapping
from math import pi, sqrt
from types import MappingProxyType

import onnx_ir as ir

from gpt2forge.graph.builder import Builder

CUBIC = 0.044715
SLOPE = sqrt(2 / pi)
WIDTH = sqrt(2)


def write_tanh_gelu(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """Write the nodes `{name}.*`: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), of any shape."""
    square = graph.op(f"{name}.square", "Mul", [x, x])
    cube = graph.op(f"{name}.cube", "Mul", [square, x])
    bend = graph.op(f"{name}.bend", "Mul", [cube, graph.floats("gelu.cubic", CUBIC)])
    bent = graph.op(f"{name}.bent", "Add", [x, bend])
    slope = graph.op(f"{name}.slope", "Mul", [bent, graph.floats("gelu.slope", SLOPE)])
    tanh = graph.op(f"{name}.tanh", "Tanh", [slope])
    return write_gate(graph, name, x, tanh)


def write_erf_gelu(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """Write the nodes `{name}.*`: 0.5 x (1 + erf(x / sqrt(2))), of any shape."""
    narrow = graph.op(f"{name}.narrow", "Div", [x, graph.floats("gelu.width", WIDTH)])
    erf = graph.op(f"{name}.erf", "Erf", [narrow])
    return write_gate(graph, name, x, erf)


def write_gate(graph: Builder, name: str, x: ir.Value, share: ir.Value) -> ir.Value:
    """Write the last nodes of a GELU: 0.5 x (1 + share)."""
    gate = graph.op(f"{name}.gate", "Add", [share, graph.floats("gelu.one", 1.0)])
    doubled = graph.op(f"{name}.doubled", "Mul", [x, gate])
    return graph.op(f"{name}.gelu", "Mul", [doubled, graph.floats("gelu.half", 0.5)])


def write_relu(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """Write the node `name`: max(x, 0)."""
    return graph.op(name, "Relu", [x])


def write_silu(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """Write the nodes `{name}.sigmoid` and `name`: x / (1 + exp(-x))."""
    share = graph.op(f"{name}.sigmoid", "Sigmoid", [x])
    return graph.op(name, "Mul", [x, share])


def write_tanh(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """Write the node `name`: tanh(x)."""
    return graph.op(name, "Tanh", [x])


WRITERS: Mapping[str, Callable[[Builder, str, ir.Value], ir.Value]] = MappingProxyType(
    {
        "gelu_new": write_tanh_gelu,
        "gelu": write_erf_gelu,
        "relu": write_relu,
        "silu": write_silu,
        "tanh": write_tanh,
    }
)


def write_activation(graph: Builder, function: str, name: str, x: ir.Value) -> ir.Value:
    """Write the nodes `name` or `{name}.*` of the activation `function` for x of any shape."""
    return WRITERS[function](graph, name, x)
