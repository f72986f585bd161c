"""What one run of the bench works on: which model, which recipes, where."""

from dataclasses import dataclass
from pathlib import Path

from bench.shapes import Shape

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
WORK = Path(__file__).resolve().parent / "work"

VARIANTS = {
    "fp32": "cpu-fp32",
    "int8 blocks of 128": "cpu-int8",
    "int8 per channel": "vnni-int8",
    "int4 blocks of 32": "cpu-int4",
}
"""Our systems by the word the tables have for them: the recipe's name behind the model's."""


@dataclass(frozen=True)
class Plan:
    """`prompt` and `new` in tokens; `rounds` of every system interleaved, `builds` from an empty store."""

    model: str
    shape: Shape
    checkpoint: Path
    work: Path
    rounds: int
    builds: int
    prompt: int = 64
    new: int = 32

    def recipe(self, variant: str) -> Path:
        return RECIPES / f"{self.model}-{VARIANTS[variant]}.yaml"

    def output(self, variant: str) -> Path:
        """The published directory of a variant."""
        return self.work / "build" / self.recipe(variant).stem

    @property
    def store(self) -> Path:
        return self.work / "store"

    @property
    def float32_bytes(self) -> int:
        return 4 * self.shape.parameters
