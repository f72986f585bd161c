"""The charts of the page: size against speed, and size against divergence."""

import math
from collections.abc import Sequence

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.dominance import Quantity
from gpt2forge.builder.quantities import DIVERGENCE, SIZE, TOKEN, read_divergence, read_size, read_time
from gpt2forge.cli.page.markup import element
from gpt2forge.cli.page.scatter import Chart, Point, draw_chart

MB = 1e6

SPEED_CHART = Chart("Size and speed", "tokens/s", is_more_better=True, may_be_log=False, form=".1f")
DIVERGENCE_CHART = Chart(
    "Size and divergence from PyTorch", "KL, nats/token", is_more_better=False, may_be_log=True, form=".2e"
)


def draw_charts(comparison: Comparison) -> str:
    """Return the charts of a comparison as HTML; empty if there are none."""
    figures = [draw_chart(chart, points) for chart, points in list_charts(comparison)]
    return element("div", *figures, class_="charts") if figures else ""


def list_charts(comparison: Comparison) -> list[tuple[Chart, list[Point]]]:
    """Return the charts of the quantities that all results have and that can be compared, with their points."""
    kinds = comparison.front_quantities
    speeds = [invert_time(found) for report in comparison.reports if (found := read_time(report))]
    divergences = [found for report in comparison.reports if (found := read_divergence(report))]
    parts = ((TOKEN, SPEED_CHART, speeds), (DIVERGENCE, DIVERGENCE_CHART, divergences))
    return [
        (chart, list_points(comparison, quantities))
        for kind, chart, quantities in parts
        if SIZE in kinds and kind in kinds
    ]


def list_points(comparison: Comparison, quantities: Sequence[Quantity]) -> list[Point]:
    """Return a point for each result; `quantities` are those of all of them."""
    sizes = [found.value / MB for report in comparison.reports if (found := read_size(report))]
    parts = zip(comparison.names, sizes, quantities, comparison.dominators, strict=True)
    return [
        Point(number, name, size, quantity, bool(dominators))
        for number, (name, size, quantity, dominators) in enumerate(parts, 1)
    ]


def invert_time(time: Quantity) -> Quantity:
    """Return the tokens per second of a token's time in milliseconds."""
    value, high, low = (1000 / each if each > 0 else math.inf for each in (time.value, time.low, time.high))
    return Quantity(value, low, high)
