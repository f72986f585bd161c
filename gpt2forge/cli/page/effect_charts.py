"""Draws what each choice of a recipe buys: a dot and its interval for each choice, left and right of no change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.cli.page.axis import format_tick, list_ticks
from gpt2forge.cli.page.markup import cell, element, make_table, text
from gpt2forge.tune.effect import Difference, Effect
from gpt2forge.tune.effect_words import HEAD, NOTHING, format_divergence, format_share, tabulate_effect

WIDTH, ROW = 440, 26
EDGE, TOP, BOTTOM = 28, 8, 24  # margins
RADIUS = 5


@dataclass(frozen=True)
class EffectChart:
    """The words of a chart. `name` is the attribute of Effect; a tick is its change times `scale`, and then `unit`."""

    name: str
    title: str
    show: Callable[[Difference | None], str]
    scale: float
    unit: str


CHARTS = (
    EffectChart("size", "size", format_share, 100, " %"),
    EffectChart("token", "new token", format_share, 100, " %"),
    EffectChart("prompt", "prompt", format_share, 100, " %"),
    EffectChart("kl", "KL, nats a token", format_divergence, 1, ""),
)


def show_effects(effects: Sequence[Effect]) -> str:
    """Return a chart of each quantity that was measured, and one table of all; empty without effects."""
    if not effects:
        return ""
    figures = [figure for chart in CHARTS if (figure := draw_effects(chart, effects))]
    return element("div", *figures, class_="charts") + tabulate(effects)


def draw_effects(chart: EffectChart, effects: Sequence[Effect]) -> str:
    """Return a figure with a row for each choice that changes the quantity, or may; empty if there is none."""
    found = [(effect.choice, getattr(effect, chart.name)) for effect in effects]
    rows = [(choice, difference) for choice, difference in found if difference is not None]
    most = max((abs(end) for _, each in rows for end in (each.value, *each.interval)), default=0.0)
    if not most:
        return ""
    ticks = list_ticks(most)
    height = TOP + ROW * 2 * len(rows) + BOTTOM
    drawn = element(
        "svg",
        draw_axis(chart, ticks, height),
        *(draw_row(chart, place, row, ticks[-1]) for place, row in enumerate(rows)),
        viewBox=f"0 0 {WIDTH} {height}",
        role="group",
        aria_label=f"{chart.title}: {len(rows)} choices",
    )
    return element("figure", drawn, element("figcaption", text(f"Change of {chart.title} by each choice.")))


def place_change(change: float, most: float) -> float:
    """Return the pixel of a change between `-most` and `most`."""
    half = (WIDTH - 2 * EDGE) / 2
    return EDGE + half * (1 + max(-1.0, min(1.0, change / most)))


def draw_axis(chart: EffectChart, ticks: Sequence[float], height: int) -> str:
    """Return the line of no change and the ends of the axis, which a screen reader skips."""
    parts = []
    for change in (-ticks[-1], 0.0, ticks[-1]):
        x = place_change(change, ticks[-1])
        label = format_tick(abs(change) * chart.scale) + chart.unit
        sign = "-" if change < 0 else "+" if change else ""
        parts.append(element("line", class_="axis", x1=x, x2=x, y1=TOP, y2=height - BOTTOM))
        parts.append(element("text", text(sign + label), x=x, y=height - 6, text_anchor="middle"))
    return element("g", *parts, aria_hidden="true")


def draw_row(chart: EffectChart, place: int, row: tuple[str, Difference], most: float) -> str:
    """Return a choice above its dot and interval; a hollow dot may be no change."""
    choice, difference = row
    y = TOP + ROW * (2 * place + 1.5)
    low, high = (place_change(end, most) for end in difference.interval)
    label = f"{choice}: {chart.title} {chart.show(difference)}"
    return element(
        "g",
        element("title", text(label)),
        element("text", text(choice), class_="choice", x=EDGE, y=y - 12),
        element("line", class_="interval", x1=low, x2=high, y1=y, y2=y),
        element("circle", cx=place_change(difference.value, most), cy=y, r=RADIUS),
        class_="change noise" if difference.is_noise else "change",
        role="img",
        tabindex="0",
        aria_label=label,
    )


def tabulate(effects: Sequence[Effect]) -> str:
    """Return the table of all effects, with the reason why a choice could not be turned off."""
    titles = [*map(text, HEAD), "remark"]
    rows = [
        [text(choice), *(cell(number, class_="number") for number in numbers), cell(effect.refusal or NOTHING)]
        for effect in effects
        for choice, *numbers in [tabulate_effect(effect)]
    ]
    return make_table("Each choice beside the same recipe without it", titles, rows)
