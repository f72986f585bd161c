"""`fusion:`, which parts of the graph are fused."""

from pydantic import Field

from gpt2forge.recipe.sections.section import Section


class Fusion(Section):
    """The passes over the graph; each can be turned off on its own."""

    attention: bool = Field(
        default=True, description="fuse attention into GroupQueryAttention, whose KV cache is extended in place"
    )
    skip_layer_norm: bool = Field(
        default=False,
        description="fuse a residual and the normalization behind it: fewer nodes, but prompts take longer",
    )
    gelu: bool = Field(default=True, description="fuse the activation into FastGelu or Gelu if it is one of them")
    bias: bool = Field(default=True, description="move biases into the operators that take one")
