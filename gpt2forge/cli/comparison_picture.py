"""The charts of a comparison as a PNG, for a README. Drawn by matplotlib, which is an extra."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gpt2forge.builder.comparison import Comparison
from gpt2forge.cli.page.charts import list_charts
from gpt2forge.cli.page.scatter import Chart, Point, find_front
from gpt2forge.errors import UserError
from gpt2forge.terminal_text import escape_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.2, 3.6)  # inches of a chart
DOTS = 144  # per inch
COLOUR = "#0b5cad"
LONGEST_NAME = 28  # characters


def check_matplotlib() -> None:
    """Raise UserError unless matplotlib is installed."""
    if find_spec("matplotlib") is None:
        raise UserError("`--png` needs matplotlib; run `pip install 'gpt2forge[plot]'`, or write a page with `--html`")


def draw_picture(comparison: Comparison) -> bytes:
    """Return the charts side by side. Raises UserError if no quantity can be compared."""
    from matplotlib.figure import Figure

    charts = list_charts(comparison)
    if not charts:
        raise UserError("`--png`: the results have no quantity that can be compared; measure them on one machine")
    figure = Figure(figsize=(SIZE[0] * len(charts), SIZE[1]), layout="constrained")
    for axes, (chart, points) in zip(figure.subplots(1, len(charts), squeeze=False)[0], charts, strict=True):
        draw_chart(axes, chart, points)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS, metadata={"Software": None})
    return file.getvalue()


def draw_chart(axes: "Axes", chart: Chart, points: Sequence[Point]) -> None:
    """Draw the points with their intervals and names, and the front."""
    front = find_front(points, chart.is_more_better)
    axes.plot([point.size for point in front], [point.other.value for point in front], "--", color=COLOUR, alpha=0.6)
    for point in points:
        draw_point(axes, point)
    if chart.may_be_log and all(point.other.value > 0 for point in points):
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, None)
    axes.set_xlim(0, 1.2 * max(point.size for point in points))
    axes.margins(y=0.15)
    axes.set(title=chart.title, xlabel="size, MB", ylabel=chart.label)
    axes.grid(alpha=0.3)


def draw_point(axes: "Axes", point: Point) -> None:
    """Draw a result; a hollow point is dominated by another. Its name may hold any character."""
    face = "white" if point.is_dominated else COLOUR
    axes.plot([point.size] * 2, [point.other.low, point.other.high], color=COLOUR, alpha=0.5)
    axes.plot([point.size], [point.other.value], "o", markerfacecolor=face, markeredgecolor=COLOUR)
    name = escape_line(point.name)
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    place = (point.size, point.other.value)
    axes.annotate(shown, place, xytext=(6, 5), textcoords="offset points", fontsize=8, parse_math=False)
