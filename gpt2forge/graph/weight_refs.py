"""Makes initializers that refer to the weights artifact; no weight is read or copied."""

from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.builder import Builder
from gpt2forge.graph.dimensions import StoredTensors

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class Weights:
    """The tensors of the weights file, added to `builder` on first use."""

    builder: Builder
    tensors: StoredTensors

    def __call__(self, name: str, *shape: int) -> ir.Value:
        """Return the float32 weight `name` (without `transformer.`) as an initializer.

        Raises UserError if it is missing or does not have this shape.
        """
        stored = name if name in self.tensors else f"transformer.{name}"
        if stored not in self.tensors:
            raise UserError(f"{WEIGHTS_FILE}: tensor `{stored}` is missing; is this a whole GPT-2?")
        tensor = self.tensors[stored]
        if tensor.dtype != "F32" or tensor.shape != shape or tensor.nbytes != 4 * prod(shape):
            raise UserError(
                f"{WEIGHTS_FILE}: tensor `{stored}` is {list(tensor.shape)} of {tensor.dtype}; "
                f"config.json asks for {list(shape)} of F32"
            )
        return self.builder.initializer(
            ir.ExternalTensor(
                WEIGHTS_FILE, tensor.offset, tensor.nbytes, ir.DataType.FLOAT, shape=ir.Shape(shape), name=name
            )
        )
