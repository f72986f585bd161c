"""The one table of a GPT-2's tensors: names in the weights artifact, names in OpenAI's checkpoints, and shapes."""

from collections.abc import Iterator
from dataclasses import dataclass

from gpt2forge.checkpoint.config import ModelConfig

PREFIX = "transformer."
HEAD = "lm_head.weight"

# D is the width, F the width inside the MLP, V the vocabulary, P the positions, 3 is 3 * D.
EMBEDDINGS = (("wte.weight", "wte", "VD"), ("wpe.weight", "wpe", "PD"))
LAYER = (
    ("ln_1.weight", "ln_1/g", "D"),
    ("ln_1.bias", "ln_1/b", "D"),
    ("attn.c_attn.weight", "attn/c_attn/w", "D3"),
    ("attn.c_attn.bias", "attn/c_attn/b", "3"),
    ("attn.c_proj.weight", "attn/c_proj/w", "DD"),
    ("attn.c_proj.bias", "attn/c_proj/b", "D"),
    ("ln_2.weight", "ln_2/g", "D"),
    ("ln_2.bias", "ln_2/b", "D"),
    ("mlp.c_fc.weight", "mlp/c_fc/w", "DF"),
    ("mlp.c_fc.bias", "mlp/c_fc/b", "F"),
    ("mlp.c_proj.weight", "mlp/c_proj/w", "FD"),
    ("mlp.c_proj.bias", "mlp/c_proj/b", "D"),
)
END = (("ln_f.weight", "ln_f/g", "D"), ("ln_f.bias", "ln_f/b", "D"))


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that a model must have: its name in the weights artifact, OpenAI's name for it, and its shape."""

    name: str
    openai: str
    shape: tuple[int, ...]

    @property
    def openai_shape(self) -> tuple[int, ...]:
        """The shape in OpenAI's checkpoints, which hold linear layers as convolutions of width 1: [1, in, out]."""
        return (1, *self.shape) if self.openai.endswith("/w") else self.shape


def list_specs(config: ModelConfig) -> Iterator[TensorSpec]:
    """Yield every tensor of such a model except an untied head, in the order of the weights artifact."""
    lengths = {"V": config.vocab_size, "P": config.n_positions, "F": config.n_inner}
    lengths |= {"D": config.n_embd, "3": 3 * config.n_embd}

    def make_spec(row: tuple[str, str, str], prefix: str = "", openai_prefix: str = "") -> TensorSpec:
        name, openai, axes = row
        shape = tuple(lengths[axis] for axis in axes)
        return TensorSpec(f"{PREFIX}{prefix}{name}", f"model/{openai_prefix}{openai}", shape)

    yield from (make_spec(row) for row in EMBEDDINGS)
    for layer in range(config.n_layer):
        yield from (make_spec(row, f"h.{layer}.", f"h{layer}/") for row in LAYER)
    yield from (make_spec(row) for row in END)
