"""Chooses a form for each weight by mixed-integer linear programming: scipy's milp, which is HiGHS.

One variable of 0 or 1 stands for each option, and exactly one option of each weight is taken. The sums of divergences
and of bytes have limits. The solution is the exact one: of several near it, which one HiGHS finds first may change.
https://docs.scipy.org/doc/scipy/reference/generated/scipy.optimize.milp.html
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.tune.choice import Choice, Option
from gpt2forge.tune.problem import Problem

SECOND = 1e-4  # weight of the other quantity, which decides between choices that are equal in the first
LEAST = 1e-30

Array = np.ndarray[Any, np.dtype[np.float64]]


def solve(options: Sequence[Option], problem: Problem) -> Choice | None:
    """Return the best choice within the limits; None if there is none. Raises UserError if scipy is not installed."""
    try:
        from scipy.optimize import LinearConstraint, milp
    except ImportError as error:
        raise UserError("`tune` needs scipy; run `pip install 'gpt2forge[tune]'`") from error
    kl, costs = scale([option.kl for option in options]), scale([option.cost for option in options])
    first, second = (kl, costs) if problem.aim == "kl" else (costs, kl)
    found = milp(
        first + SECOND * second,
        integrality=np.ones(len(options)),
        bounds=(0, 1),
        constraints=[LinearConstraint(*bounds) for bounds in list_constraints(options, problem)],
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    return {option.weight: option for option, taken in zip(options, found.x, strict=True) if taken > 0.5}


def scale(values: Sequence[float]) -> Array:
    """Return values as shares of the largest: HiGHS's tolerances are absolute."""
    array = np.array(values, float)
    return array / max(float(array.max()), LEAST)


def list_constraints(options: Sequence[Option], problem: Problem) -> Iterator[tuple[Array, Any, Any]]:
    """Yield the rows (rows, options) and their lower and upper bounds."""
    names = list(dict.fromkeys(option.weight for option in options))
    yield np.array([[option.weight == name for option in options] for name in names], float), 1, 1
    limits = (
        ([option.kl for option in options], problem.most_kl),
        ([float(option.bytes) for option in options], problem.most_bytes),
    )
    for values, most in limits:
        if most is not None:
            yield scale(values)[None], -np.inf, most / max(*values, LEAST)
    for choice in problem.without:
        taken = np.array([choice[option.weight].form == option.form for option in options], float)
        yield taken[None], -np.inf, len(names) - 1
