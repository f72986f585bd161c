"""What one run of the bench works on: which models, which recipes, where."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from bench.quiet import BUDGET
from bench.shapes import NANO, SHAPES, Shape

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
WORK = Path(__file__).resolve().parent / "work"
EXAMPLE = "nano"
SHIPPED = "774m"  # the synthetic model that every scheme has a recipe for
REWRITES = "774m-rewrites"  # the same model once more, of which each rewrite of the graph is left out


@dataclass(frozen=True)
class Variant:
    """One of our systems: `recipe` is its recipe's name behind the model's, with the one of its matrix behind an `@`.

    `changes` are given with `--set`, `models` are those that it is measured on.
    """

    recipe: str
    changes: tuple[str, ...] = ()
    models: tuple[str, ...] = tuple(SHAPES)


WITHOUT = {
    "attention in standard operators": ("fusion.attention=false",),
    "activation in standard operators": ("fusion.gelu=false",),
    "biases added apart": ("fusion.bias=false",),
    "SkipLayerNormalization": ("fusion.skip_layer_norm=true",),
    "nothing fused": ("fusion.attention=false", "fusion.gelu=false", "fusion.bias=false"),
}
"""What the graph is without one of its rewrites, or with the one that does not pay."""


REWRITTEN = {"int8 blocks of 128": "cpu-int8", "int8 per channel": "vnni-int8"}
"""Whose rewrites are left out one by one, and its recipe."""


def leave_out(name: str) -> dict[str, Variant]:
    """A variant without each rewrite."""
    return {f"{name}, {what}": Variant(REWRITTEN[name], words, (REWRITES,)) for what, words in WITHOUT.items()}


CALIBRATION = ("calibration.text=examples/nano/calibration.txt", "calibration.tokens=2048")
FITTED = ("quantization.method=gptq", "quantization.smooth=true", CALIBRATION[0], "calibration.tokens=65536")
VARIANTS = {
    "fp32": Variant("cpu-fp32"),
    **{name: Variant(recipe, models=(*SHAPES, REWRITES)) for name, recipe in REWRITTEN.items()},
    "int4 blocks of 32": Variant("cpu-int4"),
    "int4 blocks of 128": Variant("cpu-int4", ("quantization.granularity=128",)),
    # Fitting to a text changes neither bytes nor speed, and pays for a trained model alone; blocks of 32 do cost more
    # than those of 128, so that their size and speed are not those that the goals of 774M are judged on.
    "int8 blocks of 32, fitted": Variant("cpu-int8", ("quantization.granularity=32", *FITTED), (EXAMPLE,)),
    "int8 blocks of 128, fitted": Variant("cpu-int8", FITTED, (EXAMPLE,)),
    "int8 per channel, fitted": Variant("vnni-int8", FITTED, (EXAMPLE,)),
    "int4 blocks of 32, fitted": Variant("cpu-int4-gptq", models=(EXAMPLE,)),
    "int4 blocks of 128, fitted": Variant("cpu-int4-small", models=(EXAMPLE,)),
    "int4 with int8, fitted": Variant("cpu@fitted", models=(EXAMPLE,)),
    "int8 blocks of 128, int8 cache": Variant("cpu-int8", ("quantization.kv_cache=int8", *CALIBRATION)),
    **leave_out("int8 blocks of 128"),
    **leave_out("int8 per channel"),
}
"""Our systems by the word the tables have for them: a line here is measured for its models, beside every peer."""

UNNAMED = r"[^A-Za-z0-9._-]+"  # no name of a recipe has these

VERIFIED_VARIANTS = tuple(name for name, variant in VARIANTS.items() if not variant.changes)
"""Those that are recipes as they stand, whose limits hold."""

SHIPPED_VARIANTS = tuple(name for name in VERIFIED_VARIANTS if SHIPPED in VARIANTS[name].models)
"""Those of them whose speed the README shows."""

ROUNDS = 9
SHORT = 64  # tokens: what every system is asked first, and the prompt of the README's table


@dataclass(frozen=True)
class Run:
    """One thing to time: prompts of `tokens`, `batch` of them at once, and `new` tokens after each, in `rounds`."""

    tokens: int
    new: int
    rounds: int
    batch: int = 1


RUNS = (
    Run(SHORT, 9, ROUNDS),
    Run(16, 1, 5),
    Run(256, 1, 2),
    Run(512, 7, 2),
    Run(1000, 7, 3),
    Run(16, 9, 3, 1),
    Run(16, 6, 3, 4),
    Run(16, 5, 3, 16),
)
"""Long prompts and batches take a slow system many seconds, so they have fewer rounds than the short ones."""
ENDS = (Run(SHORT, 9, ROUNDS), Run(1000, 7, 3))
"""What rewrites are asked."""


@dataclass(frozen=True)
class Plan:
    """One model. `rounds` at most of every run, `builds` from an empty store; `systems` are all, unless named.

    `tokens` of the text at most are read for fidelity, as many as nano's recipes say. `variants` are those of ours
    that are built side by side, all unless named. `patience`: seconds that measurements may wait for a quiet machine.
    """

    model: str
    shape: Shape
    checkpoint: Path
    work: Path
    rounds: int = ROUNDS
    builds: int = 2
    runs: tuple[Run, ...] = RUNS
    systems: tuple[str, ...] = ()
    tokens: int = 32768
    variants: tuple[str, ...] = tuple(VARIANTS)
    patience: float = BUDGET

    @property
    def verified(self) -> list[str]:
        """The variants whose limits hold."""
        return [name for name in VERIFIED_VARIANTS if name in self.variants]

    @property
    def shipped(self) -> list[str]:
        """The variants whose speed the README shows."""
        return [name for name in SHIPPED_VARIANTS if name in self.variants]

    @property
    def is_trained(self) -> bool:
        """Whether what it says of a text means anything."""
        return self.shape == NANO

    def recipe(self, variant: str) -> Path:
        """The recipe of a variant; a size that ships none for it shares the one of another."""
        shipped = self.model if self.is_trained else SHIPPED
        file, *of_matrix = VARIANTS[variant].recipe.split("@")
        return RECIPES / "@".join([f"{shipped}-{file}.yaml", *of_matrix])

    def changes(self, variant: str) -> list[str]:
        """What the command line says of a variant beside its recipe: `--set`, and the `--name` that this asks for."""
        changes = list(VARIANTS[variant].changes)
        if self.model not in (EXAMPLE, SHIPPED):
            changes.append(f"source.checkpoint=checkpoints/{self.checkpoint.name}")
        words = [word for change in changes for word in ("--set", change)]
        return [*words, "--name", self.name(variant)] if words else []

    def name(self, variant: str) -> str:
        """What a variant is published as."""
        found = VARIANTS[variant]
        return f"{self.model}-{re.sub(UNNAMED, '-', variant) if found.changes else found.recipe}"

    def output(self, variant: str) -> Path:
        """The published directory of a variant."""
        return self.work / "build" / self.name(variant)

    def possible(self) -> list[Run]:
        """The runs that the model's context has room for: what is written last is never read."""
        return [run for run in self.runs if run.tokens + run.new - 1 <= self.shape.n_ctx]

    @property
    def store(self) -> Path:
        return self.work / "store"

    @property
    def float32_bytes(self) -> int:
        return 4 * self.shape.parameters


def plan_models(
    names: list[str], work: Path, rounds: int, builds: int, systems: tuple[str, ...] = ()
) -> dict[str, Plan]:
    """The models by name, each with a folder of its own but the one that everything is said of."""
    plans = {}
    for name in names:
        folder = work if name == SHIPPED else work / name
        place = folder / "examples" / EXAMPLE if name == EXAMPLE else folder / "checkpoints" / name.upper()
        plans[name] = Plan(name, SHAPES[name], place, folder, rounds, builds, systems=systems)
    return plans


def plan_rewrites(plan: Plan) -> dict[str, Plan]:
    """The shipped model once more, for each variant whose rewrites are left out."""
    named = {name: tuple(f"ours, {each}" for each in (name, *leave_out(name))) for name in REWRITTEN}
    return {name: replace(plan, model=REWRITES, runs=ENDS, systems=systems) for name, systems in named.items()}
