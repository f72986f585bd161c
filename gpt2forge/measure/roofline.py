"""Finds the shortest time that a node could take on this machine: the roofline model.

A node cannot be faster than its bytes at the speed of the memory, nor than its operations at the rate of the
processor. Both are measured with the same engine: a product of one row with a matrix larger than caches, and products
of many rows. A model that fits into caches can be faster than the memory.
Roofline: An Insightful Visual Performance Model, https://doi.org/10.1145/1498765.1498785
"""

from dataclasses import dataclass

from gpt2forge.measure.node_work import Work
from gpt2forge.measure.products import Products, time_products
from gpt2forge.quantize.forms import FORMS

LARGE = Products(4096, 16_384, None)  # 256 MiB of float32
SQUARE = 1024
ROWS = 256


@dataclass(frozen=True)
class Machine:
    """What this machine can do at most: GB/s of memory, and 10^9 operations a second with floats and with integers."""

    bandwidth_gb_s: float
    float_gops: float
    integer_gops: float

    def find_limit(self, work: Work) -> tuple[float, str]:
        """Return the shortest time of a node in milliseconds, and whether `memory` or `processor` decides it."""
        rate = self.integer_gops if work.is_integer else self.float_gops
        memory, processor = work.bytes / self.bandwidth_gb_s / 1e6, work.operations / rate / 1e6
        return max((memory, "memory"), (processor, "processor"))


def measure_machine(threads: int = 0) -> Machine:
    """Measure what this machine can do; it takes some seconds."""
    bandwidth = 4 * LARGE.length * LARGE.columns / time_products(LARGE, 1, is_exact=True, threads=threads) / 1e6
    floats, integers = (
        2 * SQUARE * SQUARE * ROWS / time_products(Products(SQUARE, SQUARE, form), ROWS, is_exact=True, threads=threads)
        for form in (None, FORMS["8x128"])
    )
    return Machine(bandwidth, floats / 1e6, integers / 1e6)
