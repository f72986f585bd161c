"""The results of whole texts as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.sheet import Sheet, make_sheet, show_megabytes, show_spread
from bench.tables import Parts, tabulate_failures

Results = Mapping[str, Any]


def tabulate_texts(results: Results) -> Parts:
    """Yield the tables of the part, if it was measured."""
    if "texts" in results:
        sheets = [sheet for model, found in results["texts"].items() for sheet in tabulate_model(model, found)]
        yield "texts", sheets


def tabulate_model(model: str, found: Results) -> Iterator[Sheet]:
    """Yield the speed of writers, then the loop, passes and guesses of our packages."""
    writers = {name: each for name, each in found["writers"].items() if "error" not in each}
    gate = found["gate"]
    batches = list(dict.fromkeys(batch for each in writers.values() for batch in each["tokens_s"]))
    yield make_sheet(
        f"{model}: tokens a second of whole texts, by texts at once; a second process from its opening to its first "
        f"token, and the memory that it adds; {gate['passed']} measurements waited {gate['waited_s']:.0f} s for the "
        f"processor, {gate['gave_up']} of them in vain",
        "system",
        writers,
        *((batch, make_speed(batch)) for batch in batches),
        ("opened, s", lambda each: f"{each['open_s']:.2f}"),
        ("MB added", lambda each: show_megabytes(each["added_bytes"], 0)),
    )
    yield from tabulate_failures(model, {"systems": found["writers"]})
    yield tabulate_loop(model, found["alone"])
    guesses = {
        f"{name}; {kind}": each
        for name, alone in found["alone"].items()
        for kind, each in alone.get("guesses", {}).items()
    }
    if guesses:
        yield tabulate_guesses(model, guesses)


def make_speed(batch: str) -> Any:
    """Return the function that shows a writer's speed with so many texts."""
    return lambda each: show_spread(each["tokens_s"].get(batch), 0)


def tabulate_loop(model: str, alone: Results) -> Sheet:
    """Return the time between runs of the session, and the time of a pass over several tokens."""
    counts = list(next(iter(alone.values()))["checked_ms"])
    return make_sheet(
        f"{model}: time between two runs of the session as a share of a run's, and milliseconds of a pass over some "
        "tokens behind 128",
        "package",
        alone,
        ("likeliest", lambda each: f"{each['loop']['likeliest']:.1%}"),
        ("drawn", lambda each: f"{each['loop']['drawn']:.1%}"),
        *((f"{count} at once", make_pass(count)) for count in counts),
    )


def make_pass(count: str) -> Any:
    """Return the function that shows the time of a pass over so many tokens."""
    return lambda each: show_spread(each["checked_ms"][count], 2)


def tabulate_guesses(model: str, guesses: Results) -> Sheet:
    """Return what guesses from the prompt give, by package and kind of text."""
    return make_sheet(
        f"{model}: texts with `speculative: prompt-lookup` beside the same without",
        "package; text, token",
        guesses,
        ("times as fast", lambda each: f"{each['faster']:.2f}"),
        ("tokens a pass", lambda each: f"{each['tokens_a_pass']:.2f}"),
        ("tokens that are the same", lambda each: f"{each['identical']}/{each['tokens']}"),
    )
