"""The systems that are compared, and how each is run."""

from dataclasses import dataclass
from pathlib import Path

from bench.plan import EXAMPLE, SHIPPED, VARIANTS, Plan
from bench.shapes import SHAPES

HERE = Path(__file__).resolve().parent
OURS, PYTORCH = "ours", "pytorch"
REFERENCE = "PyTorch fp32"
BEHIND = tuple(model for model in SHAPES if model not in (SHIPPED, EXAMPLE))
"""The models on which systems are measured that lead in no column: `make bench-full` has the time for them."""


@dataclass(frozen=True)
class System:
    """One system. `kind` is the folder here with its code, `scheme` the form of its weights, or a variant of ours.

    `after`: another system whose preparation is the first part of its own. `models`: those that it is measured on.
    `room`: how many times the bytes of its own files must be free in memory to open it.
    """

    kind: str
    scheme: str
    after: str | None = None
    models: tuple[str, ...] = tuple(SHAPES)
    room: float = 2.5

    @property
    def is_foreign(self) -> bool:
        """Return whether it needs an environment of its own."""
        return self.kind not in (OURS, PYTORCH)

    def read_sources(self) -> list[str]:
        """Return the texts that decide what its preparation makes."""
        return [path.read_text() for path in sorted((HERE / self.kind).glob("*")) if path.is_file()]

    def words(self, plan: Plan) -> str:
        """Return what `prepare` takes as its scheme: of ours, the published name and the changes, a line each."""
        if self.kind != OURS:
            return self.scheme
        return "\n".join([plan.name(self.scheme), *plan.changes(self.scheme)])


SYSTEMS = {
    REFERENCE: System(PYTORCH, "fp32"),
    "PyTorch bf16": System(PYTORCH, "bf16", models=BEHIND),
    "PyTorch dynamic int8": System(PYTORCH, "int8", models=BEHIND, room=4),
    "Optimum fp32": System("optimum", "fp32", models=BEHIND),
    "Optimum int8 per channel": System("optimum", "int8", after="Optimum fp32"),
    "transformers' exporter, fp32": System("exporter", "fp32", models=("124m",)),
    "CTranslate2 int8": System("ctranslate2", "int8"),
    **{f"OpenVINO {scheme}": System("openvino", scheme) for scheme in ("int8", "int4")},
    **{f"llama.cpp {scheme}": System("llamacpp", scheme) for scheme in ("Q8_0", "Q4_0")},
    "llama.cpp Q4_K_M": System("llamacpp", "Q4_K_M", models=(EXAMPLE, *BEHIND)),
    **{f"ours, {name}": System(OURS, name, models=variant.models) for name, variant in VARIANTS.items()},
}


def choose_systems(plan: Plan) -> dict[str, System]:
    """Return the systems that the plan names, or all that are for its model."""
    return {
        name: system
        for name, system in SYSTEMS.items()
        if plan.model in system.models and (not plan.systems or name in plan.systems)
    }
