"""The charts of the page: size against speed, and size against divergence."""

import math
from collections.abc import Callable

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.dominance import Quantity
from gpt2forge.builder.quantities import DIVERGENCE, TOKEN, ReadQuantity, read_size
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
    """Return the charts of the quantities that can be compared, each with the results that have it."""
    quantities = comparison.comparable_quantities
    speeds = list_points(comparison, quantities.get(TOKEN), invert_time)
    divergences = list_points(comparison, quantities.get(DIVERGENCE))
    charts = [(SPEED_CHART, speeds), (DIVERGENCE_CHART, divergences)]
    return [(chart, points) for chart, points in charts if len(points) > 1]


def list_points(
    comparison: Comparison, read: ReadQuantity | None, convert: Callable[[Quantity], Quantity] = lambda found: found
) -> list[Point]:
    """Return a point for each result that has a size and the quantity; none if there is no quantity to read."""
    points = []
    parts = zip(comparison.names, comparison.reports, comparison.dominators, strict=True)
    for number, (name, report, dominators) in enumerate(parts, 1):
        size, found = read_size(report), read(report) if read else None
        if size and found:
            points.append(Point(number, name, size.value / MB, convert(found), bool(dominators)))
    return points


def invert_time(time: Quantity) -> Quantity:
    """Return the tokens per second of a token's time in milliseconds."""
    value, high, low = (1000 / each if each > 0 else math.inf for each in (time.value, time.low, time.high))
    return Quantity(value, low, high)
