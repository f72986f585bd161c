"""What lies between the two linear layers of an MLP, in standard operators, by its name in `config.json`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.gelu import write_erf_gelu, write_tanh_gelu


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
    """Write the nodes `name` or `{name}.*` of an activation, of any shape."""
    return WRITERS[function](graph, name, x)
