"""The shapes of GPT-2 that OpenAI published, and the nano example's, by the numbers of `hparams.json`."""

import math
from dataclasses import dataclass


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
        """Return the shape of every tensor by its TF1 name; a linear layer's weight is [1, in, out].

        The values of a synthetic tensor depend on its place here: another order makes other checkpoints of a seed.
        """
        width = self.n_embd
        shapes: dict[str, tuple[int, ...]] = {
            "model/wte": (self.n_vocab, width),
            "model/wpe": (self.n_ctx, width),
            "model/ln_f/g": (width,),
            "model/ln_f/b": (width,),
        }
        linear = {
            "attn/c_attn": (width, 3 * width),
            "attn/c_proj": (width, width),
            "mlp/c_fc": (width, 4 * width),
            "mlp/c_proj": (4 * width, width),
        }
        for layer in (f"model/h{i}" for i in range(self.n_layer)):
            for norm in ("ln_1", "ln_2"):
                shapes |= {f"{layer}/{norm}/g": (width,), f"{layer}/{norm}/b": (width,)}
            for name, (fan_in, fan_out) in linear.items():
                shapes |= {f"{layer}/{name}/w": (1, fan_in, fan_out), f"{layer}/{name}/b": (fan_out,)}
        return shapes

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
