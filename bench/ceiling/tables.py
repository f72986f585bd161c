"""The ceilings as tables, and what they would do for the goals that were missed."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.ceiling.forms import (
    AHEAD,
    BOTH,
    FLAT_TILE,
    FORMS,
    LANES,
    LANES_AHEAD,
    MANY,
    ONE,
    OPERATOR,
    PAIRS,
    PASSES,
    READ,
    TILES,
    WALK,
    WHOLE_TILE,
)
from bench.sheet import Sheet, show_ratio, show_spread

Results = Mapping[str, Any]
NOTHING = "-"

KERNELS = {
    ONE: (WALK, AHEAD, PAIRS, BOTH, WHOLE_TILE, FLAT_TILE, LANES, LANES_AHEAD, READ),
    MANY: (WALK, PASSES, TILES),
}
"""By rows, in the order of the tables."""

CHANGES = {ONE: (AHEAD, PAIRS, BOTH, FLAT_TILE, LANES, LANES_AHEAD), MANY: (PASSES, TILES)}
"""The kernels that the operator does not have."""

GOALS = {
    "a token, ": ONE,
    "the memory's limit, ": ONE,
    "64 tokens, ": MANY,
    "1000 tokens, ": MANY,
    "tokens/s of ": MANY,
}
"""The rows that decide a goal, by how its name begins."""


def tabulate_ceiling(ceiling: Results) -> Iterator[Sheet]:
    """Yield a table of each form: milliseconds of a layer by rows and threads, and as a part of the operator's."""
    for form, found in ceiling["forms"].items():
        heads, rows = ["a layer by"], []
        for count, times in found["ms"].items():
            for threads in times[OPERATOR]:
                words = f"{count} row{'s' * (count != ONE)}, {threads} thread{'s' * (threads != '1')}"
                heads += [f"{words}, ms", "GB/s" if count == ONE else "10^9 products/s", "of the operator's time"]
        for name in dict.fromkeys(name for times in found["ms"].values() for name in times):
            rows.append([name, *(cell for count in found["ms"] for cell in show_times(found, count, name))])
        size = f"{found['weights'] / 1e6:.1f} million weights, {found['bytes'] / 1e6:.1f} MB with their scales"
        yield Sheet(f"774m's products of a layer in {form}, {size}; {show_load(ceiling)}", heads, rows)


def show_load(part: Results) -> str:
    """Return the load average before a part, and how long its turns waited for the processor."""
    waits = "{passed} turns waited {waited_s:.0f} s for the processor, {gave_up} of them in vain".format(**part["gate"])
    return f"load {part['load_before']:.1f} before; {waits}"


def show_times(found: Results, count: str, name: str) -> Iterator[str]:
    """Yield the cells of a kernel with so many rows; dashes where it does not take them."""
    for threads, operator in found["ms"][count][OPERATOR].items():
        taken = found["ms"][count].get(name, {}).get(threads)
        if taken is None:
            yield from ("-", "-", "-")
            continue
        amount = found["bytes"] if count == ONE else int(count) * found["weights"]
        rate = amount / taken["median"] / 1e6
        yield show_spread(taken, 2)
        yield f"{rate:.1f}" if count == ONE else f"{rate:.0f}"
        yield show_ratio(taken["median"], operator["median"], ".2f")


def tabulate_gains(ceiling: Results) -> Sheet:
    """Return each kernel's time as a part of the operator's, with all threads; none for what this machine lacks."""
    rows = []
    for count, names in KERNELS.items():
        for name in names:
            cells = [show_gain(ceiling, form, count, name) for form in FORMS]
            if set(cells) != {NOTHING}:
                rows.append([name, count, *cells])
    return Sheet("", ["kernel", "rows", *FORMS], rows)


def show_gain(ceiling: Results, form: str, count: str, name: str) -> str:
    gain = find_gain(ceiling, form, count, name)
    return NOTHING if gain is None else f"{gain:.2f}"


def find_gain(ceiling: Results, form: str, count: str, name: str) -> float | None:
    """Return a kernel's time as a part of the operator's, with all threads; None where it was not measured."""
    times = ceiling["forms"].get(form, {}).get("ms", {}).get(count, {})
    if name not in times:
        return None
    *_, threads = times[OPERATOR]
    return float(times[name][threads]["median"] / times[OPERATOR][threads]["median"])


def tabulate_missed(results: Results) -> Sheet:
    """Return a row for each missed goal that a kernel decides, with the number if all time went to products."""
    rows = []
    for goal in results["goals"]:
        begin = next((begin for begin in GOALS if goal["what"].startswith(begin)), None)
        form = goal["what"].partition("ours, ")[2]
        if goal["reached"] or begin is None:
            continue
        gains = {name: find_gain(results["ceiling"], form, GOALS[begin], name) for name in CHANGES[GOALS[begin]]}
        known = {name: gain for name, gain in gains.items() if gain is not None}
        if known:
            name = min(known, key=lambda each: known[each])
            best = goal["value"] / known[name] if goal["at_least"] else goal["value"] * known[name]
            reached = best >= goal["goal"] if goal["at_least"] else best <= goal["goal"]
            bound = f"at {'least' if goal['at_least'] else 'most'} {goal['goal']:g}"
            measured, unit = f"{goal['value']:.2f}", goal["unit"]
            rows.append([goal["what"], f"{measured} {unit}", bound, name, f"{best:.2f}", "yes" if reached else "no"])
    heads = ["what", "measured", "goal", "the fastest kernel", "with it, at best", "reached"]
    return Sheet("Missed goals, if all of their time went to products and these were the fastest kernel's", heads, rows)


def tabulate_within_reach(results: Results) -> Sheet:
    """Return the rows of missed goals that a kernel would reach."""
    sheet = tabulate_missed(results)
    return Sheet("", sheet.columns[:-1], [row[:-1] for row in sheet.rows if row[-1] == "yes"])
