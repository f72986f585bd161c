"""Collects nodes, constants and weights by name, so that the code that writes a graph reads like the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir

Attribute = int | float | str | Sequence[int] | ir.Graph
NONE: Mapping[str, Attribute] = MappingProxyType({})
MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators


@dataclass
class Builder:
    """Nodes in order, and initializers by name."""

    nodes: list[ir.Node] = field(default_factory=list)
    initializers: dict[str, ir.Value] = field(default_factory=dict)

    def node(
        self,
        name: str,
        operator: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Attribute] = NONE,
        *,
        outputs: Sequence[str] | None = None,
        domain: str = "",
    ) -> tuple[ir.Value, ...]:
        """Add a node and return its outputs; the default `outputs` is one with the node's name."""
        values = [ir.Value(name=output) for output in outputs or (name,)]
        attrs = ir.convenience.convert_attributes(attributes)
        self.nodes.append(ir.Node(domain, operator, inputs, attrs, outputs=values, name=name))
        return tuple(values)

    def op(
        self, name: str, operator: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Attribute] = NONE
    ) -> ir.Value:
        """Add a standard node and return its one output, which has the node's name."""
        return self.node(name, operator, inputs, attributes)[0]

    def floats(self, name: str, value: float) -> ir.Value:
        """Return the float32 scalar of this name, made the first time."""
        return self.constant(name, np.array(value, np.float32))

    def integers(self, name: str, values: int | Sequence[int]) -> ir.Value:
        """Return the int64 scalar or list of this name, made the first time."""
        return self.constant(name, np.array(values, np.int64))

    def constant(self, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
        """Return the initializer of this name whose value is in the graph file itself, made the first time."""
        return self.initializer(ir.Tensor(array, name=name))

    def initializer(self, tensor: ir.TensorProtocol) -> ir.Value:
        """Return the initializer of this name, made from `tensor` the first time."""
        assert tensor.name is not None
        if tensor.name not in self.initializers:
            self.initializers[tensor.name] = ir.Value(
                name=tensor.name,
                type=ir.TensorType(tensor.dtype),
                shape=ir.Shape(tensor.shape.numpy()),
                const_value=tensor,
            )
        return self.initializers[tensor.name]
