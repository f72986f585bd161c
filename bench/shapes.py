"""The shapes of GPT-2 that OpenAI published, and the nano example's, by the numbers of `hparams.json`."""

import math
from dataclasses import dataclass

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.names import list_specs


@dataclass(frozen=True)
class Shape:
    """The five numbers of `hparams.json`."""

    n_vocab: int
    n_ctx: int
    n_embd: int
    n_head: int
    n_layer: int

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor by its TF1 name; a linear layer's weight is [1, in, out]."""
        sizes = (self.n_vocab, self.n_ctx, self.n_embd, self.n_head, self.n_layer, 4 * self.n_embd)
        config = ModelConfig(*sizes, layer_norm_epsilon=1e-5, tied=True, eos_token_id=self.n_vocab - 1)
        return {spec.openai: spec.openai_shape for spec in list_specs(config)}

    @property
    def parameters(self) -> int:
        """Return how many numbers the checkpoint holds; the tied table counts once."""
        return sum(math.prod(shape) for shape in self.tensors.values())

    @property
    def cache_bytes(self) -> int:
        """Return the bytes of the keys and values of a text that fills the context, in float32."""
        return 4 * 2 * self.n_layer * self.n_ctx * self.n_embd


NANO = Shape(4096, 256, 128, 4, 4)
LARGE = Shape(50257, 1024, 1280, 20, 36)
"""774M, the size that the goals are about."""

SHAPES = {
    "nano": NANO,
    "124m": Shape(50257, 1024, 768, 12, 12),
    "355m": Shape(50257, 1024, 1024, 16, 24),
    "774m": LARGE,
    "1558m": Shape(50257, 1024, 1600, 25, 48),
}
