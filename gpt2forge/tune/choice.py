"""The options for each weight of a model, and a choice of one for each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gpt2forge.quantize.scheme import FLOAT32


@dataclass(frozen=True)
class Option:
    """A weight in a form, as measured alone: divergence and loss in nats a token, bytes, and the cost to lower."""

    weight: str
    form: str
    kl: float
    bytes: int
    cost: float


Choice = Mapping[str, Option]
"""The option of each weight, by its name."""

Measured = Mapping[str, Mapping[str, Mapping[str, float]]]
"""The numbers of `measure.sensitivity` by weight and form."""

Costs = Mapping[str, Mapping[str, float]]
"""The cost of a weight by kind and form: milliseconds of its product, or bytes of memory, as a stage measured them."""


def list_options(measured: Measured) -> list[Option]:
    """List the options of all weights. Each may stay float32; the cost of an option is its bytes."""
    return [option for weight, forms in measured.items() for option in list_forms(weight, forms)]


def list_forms(weight: str, forms: Mapping[str, Mapping[str, float]]) -> Iterator[Option]:
    for form, numbers in forms.items():
        size = int(numbers["bytes"])
        # A weight whose rounding happens to help by chance is no better than exact.
        yield Option(weight, form, kl=max(numbers["kl"], 0.0), bytes=size, cost=size)
    size = 4 * int(max(numbers["weights"] for numbers in forms.values()))
    yield Option(weight, FLOAT32, kl=0.0, bytes=size, cost=size)


def set_costs(options: Iterable[Option], costs: Costs) -> list[Option]:
    """Return the options with measured costs; looking up positions takes no time, and their file is only mapped."""
    return [replace(option, cost=find_cost(option, costs)) for option in options]


def find_cost(option: Option, costs: Costs) -> float:
    kind = option.weight.split(".", 2)[-1]
    return costs[kind][option.form] if kind in costs else 0.0


def total_kl(choice: Choice) -> float:
    """Return the sum of the divergences of single weights, which approximates that of all."""
    return sum(option.kl for option in choice.values())


def total_bytes(choice: Choice) -> int:
    return sum(option.bytes for option in choice.values())


def total_cost(choice: Choice) -> float:
    return sum(option.cost for option in choice.values())


def name_choice(choice: Choice) -> tuple[tuple[str, str], ...]:
    """Return what tells a choice from others."""
    return tuple(sorted((weight, option.form) for weight, option in choice.items()))
