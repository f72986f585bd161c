"""What a calibration text changes in the weights: see `migration` for `smooth`, `gptq` for `gptq`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.gptq import Feedback, make_feedback, unpack
from gpt2forge.quantize.smooth import Migration, choose_migration

Read = Callable[[str], Floats]
"""Gives a weight of the model by its name."""

NORMED = re.compile(r"(h\.\d+)\.(ln_1|attn\.c_attn|ln_2|mlp\.c_fc)\.(weight|bias)")
READERS = {"ln_1": "attn.c_attn", "ln_2": "mlp.c_fc"}


@dataclass(frozen=True)
class Fit:
    """`statistics` by name, as calibrate writes them: `h.N.attn.c_attn.hessian`, `.mean` and so on."""

    statistics: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))
    smooth: bool = False
    gptq: bool = False
    migrations: dict[str, Migration] = field(default_factory=dict)

    def change(self, name: str, values: Floats, read: Read) -> Floats:
        """The weight `name` as it is to be stored."""
        found = NORMED.fullmatch(name) if self.smooth else None
        if not found:
            return values
        layer, module, part = found.groups()
        linear = f"{layer}.{READERS.get(module, module)}"
        migration = self.find_migration(linear, read)
        if module in READERS:
            return migration.move_gain(values) if part == "weight" else migration.move_shift(values)
        if part == "weight":
            return migration.move_weight(values)
        return migration.move_bias(values, read(f"{linear}.weight"))

    def find_migration(self, linear: str, read: Read) -> Migration:
        """That of a layer which reads a norm, made once."""
        if linear not in self.migrations:
            packed, mean = self.statistics[f"{linear}.hessian"], np.array(self.statistics[f"{linear}.mean"])
            rows = np.arange(len(mean))
            squares = packed[rows * (rows + 3) // 2]  # the diagonal of a triangle that lies there row by row
            self.migrations[linear] = choose_migration(mean, squares, read(f"{linear}.weight"))
        return self.migrations[linear]

    def find_feedback(self, name: str, read: Read) -> Feedback | None:
        """What makes the errors of the weight `name` cancel; None where it is to be rounded to the nearest step."""
        linear = name.removesuffix(".weight")
        packed = self.statistics.get(f"{linear}.hessian") if self.gptq else None
        if packed is None:
            return None
        hessian = unpack(packed)
        if self.smooth and NORMED.fullmatch(name):
            hessian = self.find_migration(linear, read).move_hessian(hessian)
        return make_feedback(hessian)
