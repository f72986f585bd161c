"""The results on the page: each part as it was measured last, all with one version of every tool."""

from collections.abc import Mapping
from typing import Any

from bench.plan import EXAMPLE, SHIPPED

Results = Mapping[str, Any]
PEERS = "peers of {}"  # a model's part, in its seconds and its origin
TAKEN = ("builds", "fidelity", "variants", "idle", PEERS.format(SHIPPED), PEERS.format(EXAMPLE))
"""The parts that `make bench` measures."""


def is_whole(results: Results) -> bool:
    """Return whether a run measured all of `make bench`; then its machine and command stand on top of the page."""
    return set(results.get("origins", {})) >= set(TAKEN)


def merge(earlier: Results, results: Results) -> dict[str, Any]:
    """Return the earlier page's results with these in place of theirs, part by part and model by model.

    Parts that a whole run did not measure are kept if they have the same versions. Raises ValueError if parts have not.
    """
    if earlier["host"]["versions"] != results["host"]["versions"]:
        if not is_whole(results):
            raise ValueError("the page is of other versions than are installed now: measure all of it anew")
        return dict(results)
    top = () if is_whole(results) else ("host", "date", "command")
    merged = {**earlier, **{name: value for name, value in results.items() if name not in top}}
    return merged | {name: {**earlier[name], **results.get(name, {})} for name in ("seconds", "origins", "peers")}


def name_origin(results: Results) -> dict[str, str]:
    """Return the date and the processor of a run."""
    return {"date": results["date"], "processor": results["host"]["processor"]}


def describe_origin(results: Results, part: str) -> str:
    """Return a sentence on a part that is of another run than the one on top of the page, else an empty text."""
    origin = results["origins"].get(part, name_origin(results))
    return "" if origin == name_origin(results) else "Measured apart, on {date} on {processor}.".format(**origin)
