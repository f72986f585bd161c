"""A chart of results: size across, another quantity up, intervals as lines, and the front drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpt2forge.builder.dominance import Quantity
from gpt2forge.cli.page.axis import Axis, format_tick, make_axis
from gpt2forge.cli.page.markup import cell, element, make_table, text

WIDTH, HEIGHT = 440, 320
LEFT, RIGHT, TOP, BOTTOM = 68, 16, 14, 46  # margins
RADIUS = 9


@dataclass(frozen=True)
class Point:
    """A result in a chart: its number on the page, its name, size in MB and the other quantity."""

    number: int
    name: str
    size: float
    other: Quantity
    is_dominated: bool


@dataclass(frozen=True)
class Chart:
    """The words of a chart. `is_more_better`: more of the quantity is better; less of the size always is."""

    title: str
    label: str
    is_more_better: bool
    may_be_log: bool
    form: str


def draw_chart(chart: Chart, points: Sequence[Point]) -> str:
    """Return a figure of the points, with its caption and the table behind it."""
    across = make_axis([point.size for point in points], LEFT, WIDTH - RIGHT)
    ends = [edge for point in points for edge in (point.other.low, point.other.value, point.other.high)]
    up = make_axis(ends, HEIGHT - BOTTOM, TOP, chart.may_be_log)
    front = find_front(points, chart.is_more_better)
    drawn = element(
        "svg",
        *draw_axes(across, up, chart),
        draw_front(front, across, up),
        *(draw_point(point, across, up, chart) for point in points),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="group",
        aria_label=f"{chart.title}: {len(points)} results",
    )
    side = "more" if chart.is_more_better else "less"
    words = f"{chart.title}. The dashed line joins the results that no smaller one surpasses; {side} is better. "
    caption = element("figcaption", text(words + "A hollow point is dominated by another result."))
    table = element("details", element("summary", text(f"{chart.title} as a table")), tabulate(chart, points))
    return element("figure", drawn, caption, table)


def find_front(points: Sequence[Point], is_more_better: bool) -> list[Point]:
    """Return the points that no smaller one surpasses, the smallest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.size, rank(each, is_more_better))):
        if not front or rank(point, is_more_better) < rank(front[-1], is_more_better):
            front.append(point)
    return front


def rank(point: Point, is_more_better: bool) -> float:
    return -point.other.value if is_more_better else point.other.value


def draw_axes(across: Axis, up: Axis, chart: Chart) -> list[str]:
    """Return both axes with their ticks and labels, which a screen reader skips: the points say their values."""
    bottom, left = HEIGHT - BOTTOM, LEFT
    parts = [
        element("line", class_="axis", x1=left, x2=WIDTH - RIGHT, y1=bottom, y2=bottom),
        element("line", class_="axis", x1=left, x2=left, y1=TOP, y2=bottom),
    ]
    for tick in across.ticks:
        parts.append(element("text", format_tick(tick), x=across.place(tick), y=bottom + 18.0, text_anchor="middle"))
    for tick in up.ticks:
        at = up.place(tick)
        parts.append(element("line", class_="axis", x1=left, x2=WIDTH - RIGHT, y1=at, y2=at))
        parts.append(element("text", format_tick(tick), x=left - 6.0, y=at + 4, text_anchor="end"))
    parts.append(element("text", "size, MB", x=(left + WIDTH - RIGHT) / 2, y=HEIGHT - 8.0, text_anchor="middle"))
    middle = (TOP + bottom) / 2
    turned = f"rotate(-90 12 {middle:.0f})"
    parts.append(element("text", text(chart.label), x=12.0, y=middle, text_anchor="middle", transform=turned))
    return [element("g", *parts, aria_hidden="true")]


def draw_front(front: Sequence[Point], across: Axis, up: Axis) -> str:
    places = " ".join(f"{across.place(point.size):.1f},{up.place(point.other.value):.1f}" for point in front)
    return element("polyline", class_="front", points=places, aria_hidden="true")


def draw_point(point: Point, across: Axis, up: Axis, chart: Chart) -> str:
    """Return a point that the keyboard reaches and a screen reader reads, with its interval and its number."""
    x, y = across.place(point.size), up.place(point.other.value)
    label = f"{point.number} {point.name}: {point.size:.1f} MB, {describe(point, chart)}"
    low, high = up.place(point.other.low), up.place(point.other.high)
    return element(
        "g",
        element("title", text(label)),
        element("line", class_="interval", x1=x, x2=x, y1=low, y2=high),
        element("circle", cx=x, cy=y, r=RADIUS),
        element("text", str(point.number), x=x, y=y + 4.5, aria_hidden="true"),
        class_="point dominated" if point.is_dominated else "point",
        role="img",
        tabindex="0",
        aria_label=label,
    )


def describe(point: Point, chart: Chart) -> str:
    """Describe the quantity of a point and its interval."""
    value, low, high = (format(each, chart.form) for each in (point.other.value, point.other.low, point.other.high))
    return f"{chart.label} {value} [{low}, {high}]"


def tabulate(chart: Chart, points: Sequence[Point]) -> str:
    """Return the table behind the picture."""
    rows = [
        [
            text(f"{point.number} {point.name}"),
            cell(f"{point.size:.1f}", class_="number"),
            *(cell(format(each, chart.form), class_="number") for each in (point.other.value, point.other.low)),
            cell(format(point.other.high, chart.form), class_="number"),
            cell("yes" if point.is_dominated else "no"),
        ]
        for point in points
    ]
    titles = ["result", "size, MB", text(chart.label), "at least", "at most", "dominated"]
    return make_table(chart.title, titles, rows)
