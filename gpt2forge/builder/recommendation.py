"""The recommendation that a comparison ends in: the smallest and the fastest result within the limits."""

from collections.abc import Mapping

from gpt2forge.builder.quantities import ReadQuantity, read_size, read_time
from gpt2forge.builder.report import Report
from gpt2forge.builder.verdict import find_verdict

ASSURED = ("within", "unlimited")
"""The verdicts on results whose quality was measured and may be used."""


def recommend(reports: Mapping[str, Report], *, can_compare_times: bool) -> str:
    """Recommend among the reports of published results, by their names."""
    verdicts = {name: find_verdict(report).kind for name, report in reports.items()}
    assured = {name: report for name, report in reports.items() if verdicts[name] in ASSURED}
    chosen = assured or {name: report for name, report in reports.items() if verdicts[name] == "unmeasured"}
    if not chosen:
        return "no result is within its limits"
    smallest = find_least(chosen, read_size)
    fastest = find_least(chosen, read_time) if can_compare_times else None
    within = " within your limits" if any(verdicts[name] == "within" for name in chosen) else ""
    unsure = "" if assured else " (quality was not measured)"
    return "".join((describe_choice(chosen, smallest, fastest, within), unsure))


def find_least(reports: Mapping[str, Report], read: ReadQuantity) -> str | None:
    """Return the name of the result with the least of a quantity; None unless at least one has it."""
    values = {name: found.value for name, report in reports.items() if (found := read(report))}
    return min(values, key=values.__getitem__, default=None)


def describe_choice(reports: Mapping[str, Report], smallest: str | None, fastest: str | None, within: str) -> str:
    """Name the smallest and the fastest result; if the smallest may be as fast, say so."""
    if smallest is None or fastest is None:
        return f"smallest{within}: {smallest}" if smallest else "no result has a size"
    if smallest == fastest:
        return f"smallest and fastest{within}: {smallest}"
    ours, best = read_time(reports[smallest]), read_time(reports[fastest])
    is_close = ours is not None and best is not None and not best.is_surely_less(ours)
    close = ", though not surely faster" if is_close else ""
    return f"smallest{within}: {smallest}; fastest: {fastest}{close}"
