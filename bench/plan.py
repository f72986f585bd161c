"""The inputs of one run of the bench: models, recipes, folders."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from bench.quiet import BUDGET
from bench.shapes import NANO, SHAPES, Shape

HERE = Path(__file__).resolve().parent
RECIPES, WORK = HERE.parent / "recipes", HERE / "work"
LINKED = "shipped-recipes"  # the link to RECIPES in a folder that builds work in
EXAMPLE = "nano"
SHIPPED = "774m"  # the synthetic model that every scheme has a recipe for
REWRITES = "774m-rewrites"  # the same model once more, without one rewrite of the graph at a time


@dataclass(frozen=True)
class Variant:
    """One of our systems: the name of its recipe behind the model's, with the one of its matrix behind an `@`.

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
"""The changes that build the graph without one of its rewrites, or with the one that does not pay."""

REWRITTEN = {"int8 blocks of 128": "cpu-int8", "int8 per channel": "vnni-int8"}
"""The variants whose rewrites are left out one by one, and their recipes."""


def leave_out(name: str) -> dict[str, Variant]:
    """Return a variant without each rewrite."""
    return {f"{name}, {what}": Variant(REWRITTEN[name], words, (REWRITES,)) for what, words in WITHOUT.items()}


CALIBRATION = ("calibration.text=examples/nano/calibration.txt", "calibration.tokens=2048")
FITTED = ("quantization.method=gptq", "quantization.smooth=true", CALIBRATION[0], "calibration.tokens=65536")
VARIANTS = {
    "fp32": Variant("cpu-fp32"),
    **{name: Variant(recipe, models=(*SHAPES, REWRITES)) for name, recipe in REWRITTEN.items()},
    "int4 blocks of 32": Variant("cpu-int4"),
    "int4 blocks of 128": Variant("cpu-int4", ("quantization.granularity=128",)),
    # Fitting to a text changes neither bytes nor speed, and pays for a trained model alone. Blocks of 32 cost more than
    # blocks of 128, so their size and speed are not those that the goals of 774M are about.
    "int8 blocks of 32, fitted": Variant("cpu-int8", ("quantization.granularity=32", *FITTED), (EXAMPLE,)),
    "int8 blocks of 128, fitted": Variant("cpu-int8", FITTED, (EXAMPLE,)),
    "int8 per channel, fitted": Variant("vnni-int8", FITTED, (EXAMPLE,)),
    "int4 blocks of 32, fitted": Variant("cpu-int4-gptq", models=(EXAMPLE,)),
    "int4 blocks of 128, fitted": Variant("cpu-small", models=(EXAMPLE,)),
    "int8 blocks of 64, fitted": Variant("cpu-best", models=(EXAMPLE,)),
    "int8 blocks of 64 and cache, fitted": Variant("cpu-fast", models=(EXAMPLE,)),
    "7 bits per channel, fitted": Variant("cpu-int8", ("quantization.granularity=channel", *FITTED), (EXAMPLE,)),
    "int4 with int8, fitted": Variant("cpu@fitted", models=(EXAMPLE,)),
    "int8 per channel, few rows in blocks": Variant("vnni-int8", ("quantization.few_rows=blocks",), (EXAMPLE, SHIPPED)),
    "int8 per channel, few rows in blocks, cache, fitted": Variant("vnni-fast", models=(EXAMPLE,)),
    "int8 blocks of 128, int8 cache": Variant("cpu-int8", ("quantization.kv_cache=int8", *CALIBRATION)),
    **leave_out("int8 blocks of 128"),
    **leave_out("int8 per channel"),
}
"""Our systems by their word in the tables: a line here is measured for its models, beside every peer."""

UNNAMED = r"[^A-Za-z0-9._-]+"  # characters that no name of a recipe has

VERIFIED_VARIANTS = tuple(name for name, variant in VARIANTS.items() if not variant.changes)
"""The variants that are unchanged recipes, whose limits hold."""

SHIPPED_VARIANTS = tuple(name for name in VERIFIED_VARIANTS if SHIPPED in VARIANTS[name].models)
"""Those of them whose speed the README shows."""

ROUNDS = 9
SHORT = 64  # tokens of the prompt that every system reads first, and of the README's table


@dataclass(frozen=True)
class Run:
    """One thing to time: prompts of `tokens`, `batch` of them at once, and `new` tokens after each, in `rounds`."""

    tokens: int
    new: int
    rounds: int
    batch: int = 1


ENDS = (Run(SHORT, 9, ROUNDS), Run(1000, 7, 3))
"""The runs for rewrites of the graph."""

RUNS = (
    ENDS[0],
    *(Run(16, 1, 5), Run(256, 1, 2), Run(512, 7, 2), Run(1000, 7, 2)),
    *(Run(16, 9, 2, 1), Run(16, 6, 2, 4), Run(16, 5, 2, 16)),
)
"""Long prompts and batches take a slow system many seconds, so they have fewer rounds than short ones."""


@dataclass(frozen=True)
class Plan:
    """One model. `rounds` at most of every run, `builds` from an empty store; `systems` are all, unless named.

    Fidelity reads at most `tokens` of the text, as many as nano's recipes do. `variants` are those of ours that are
    built side by side. `patience`: seconds that measurements may wait for a quiet machine.
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
        """Return the variants whose limits hold."""
        return [name for name in VERIFIED_VARIANTS if name in self.variants]

    @property
    def shipped(self) -> list[str]:
        """Return the variants whose speed the README shows."""
        return [name for name in SHIPPED_VARIANTS if name in self.variants]

    @property
    def is_trained(self) -> bool:
        """Return whether the model's fidelity on a text means anything."""
        return self.shape == NANO

    @property
    def store(self) -> Path:
        return self.work / "store"

    @property
    def float32_bytes(self) -> int:
        return 4 * self.shape.parameters

    def recipe(self, variant: str) -> Path:
        """Return the recipe of a variant, from the folder that builds work in: the paths in a recipe start there.

        A size without a recipe of its own takes that of 774M.
        """
        shipped = self.model if self.is_trained else SHIPPED
        file, *of_matrix = VARIANTS[variant].recipe.split("@")
        return Path(LINKED) / "@".join([f"{shipped}-{file}.yaml", *of_matrix])

    def changes(self, variant: str) -> list[str]:
        """Return the words that follow a variant's recipe: each `--set`, and the `--name` that changes ask for."""
        words = self.settings(variant)
        return [*words, "--name", self.name(variant)] if words else []

    def settings(self, variant: str) -> list[str]:
        """Return the `--set` of each change of a variant, and of the checkpoint if no recipe names it."""
        changes = list(VARIANTS[variant].changes)
        if self.model not in (EXAMPLE, SHIPPED):
            changes.append(f"source.checkpoint=checkpoints/{self.checkpoint.name}")
        return [word for change in changes for word in ("--set", change)]

    def name(self, variant: str) -> str:
        """Return the published name of a variant."""
        found = VARIANTS[variant]
        return f"{self.model}-{re.sub(UNNAMED, '-', variant) if found.changes else found.recipe}"

    def output(self, variant: str) -> Path:
        """Return the published directory of a variant."""
        return self.work / "build" / self.name(variant)

    def possible(self) -> list[Run]:
        """Return the runs that fit the model's context; no system reads the last token that it writes."""
        return [run for run in self.runs if run.tokens + run.new - 1 <= self.shape.n_ctx]


def plan_models(
    names: list[str], work: Path, rounds: int, builds: int, systems: tuple[str, ...] = ()
) -> dict[str, Plan]:
    """Return a plan for each model, in a folder of its own; the shipped model has the work folder itself."""
    plans = {}
    for name in names:
        folder = work if name == SHIPPED else work / name
        place = folder / "examples" / EXAMPLE if name == EXAMPLE else folder / "checkpoints" / name.upper()
        plans[name] = Plan(name, SHAPES[name], place, folder, rounds, builds, systems=systems)
    return plans


def plan_rewrites(plan: Plan) -> dict[str, Plan]:
    """Return the shipped model's plan once more for each variant whose rewrites are left out."""
    named = {name: tuple(f"ours, {each}" for each in (name, *leave_out(name))) for name in REWRITTEN}
    return {name: replace(plan, model=REWRITES, runs=ENDS, systems=systems) for name, systems in named.items()}
