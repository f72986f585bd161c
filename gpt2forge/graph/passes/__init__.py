"""Lists the passes in the order of their application. Each rewrites a model in place and needs no other pass.

A pass that cannot rewrite what it finds raises GraphError, which fails the build.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import onnx_ir as ir

from gpt2forge.graph.passes.fuse_attention import fuse_attention
from gpt2forge.graph.passes.fuse_bias import fuse_bias
from gpt2forge.graph.passes.fuse_gelu import fuse_gelu
from gpt2forge.graph.passes.fuse_skip_layer_norm import fuse_skip_layer_norm

PASSES: Mapping[str, Callable[[ir.Model], None]] = MappingProxyType(
    {
        "attention": fuse_attention,
        "skip_layer_norm": fuse_skip_layer_norm,
        "gelu": fuse_gelu,
        "bias": fuse_bias,  # last: it moves biases into operators that the other passes write
    }
)
