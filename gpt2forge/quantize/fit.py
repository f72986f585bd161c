"""Fits weights to a calibration text. See `smooth` and `gptq` for the two methods."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.gptq import Feedback, make_feedback, unpack_triangle
from gpt2forge.quantize.smooth import Smoothing, choose_smoothing

Read = Callable[[str], Floats]
"""Returns a weight of the model by its name."""

NORMED = re.compile(r"(h\.\d+)\.(ln_1|attn\.c_attn|ln_2|mlp\.c_fc)\.(weight|bias)")
READERS = {"ln_1": "attn.c_attn", "ln_2": "mlp.c_fc"}


@dataclass(frozen=True)
class Fit:
    """The methods that fit weights, and their `statistics` by name: `h.N.attn.c_attn.hessian`, `.mean` and others."""

    statistics: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))
    smooth: bool = False
    gptq: bool = False
    smoothings: dict[str, Smoothing] = field(default_factory=dict)

    def change(self, name: str, values: Floats, read: Read) -> Floats:
        """Return the weight `name` as it is to be stored."""
        found = NORMED.fullmatch(name) if self.smooth else None
        if not found:
            return values
        layer, module, part = found.groups()
        linear = f"{layer}.{READERS.get(module, module)}"
        smoothing = self.find_smoothing(linear, read)
        if module in READERS:
            return smoothing.smooth_gain(values) if part == "weight" else smoothing.smooth_shift(values)
        if part == "weight":
            return smoothing.smooth_weight(values)
        return smoothing.smooth_bias(values, read(f"{linear}.weight"))

    def find_smoothing(self, linear: str, read: Read) -> Smoothing:
        """Return the smoothing of a linear layer that reads a norm, computed once."""
        if linear not in self.smoothings:
            packed, mean = self.statistics[f"{linear}.hessian"], np.array(self.statistics[f"{linear}.mean"])
            rows = np.arange(len(mean))
            squares = packed[rows * (rows + 3) // 2]  # the diagonal of a triangle that is stored row by row
            self.smoothings[linear] = choose_smoothing(mean, squares, read(f"{linear}.weight"))
        return self.smoothings[linear]

    def find_feedback(self, name: str, read: Read) -> Feedback | None:
        """Return the feedback of errors for the weight `name`; None if it is rounded to the nearest step."""
        linear = name.removesuffix(".weight")
        packed = self.statistics.get(f"{linear}.hessian") if self.gptq else None
        if packed is None:
            return None
        hessian = unpack_triangle(packed)
        if self.smooth and NORMED.fullmatch(name):
            hessian = self.find_smoothing(linear, read).smooth_hessian(hessian)
        return make_feedback(hessian)
