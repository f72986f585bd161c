"""What the page is made of: each part as it was measured last, all of them with one version of every tool."""

from collections.abc import Mapping
from typing import Any

from bench.plan import EXAMPLE, SHIPPED

Results = Mapping[str, Any]
PEERS = "peers of {}"  # a model's part, by which its seconds and its origin are kept
TAKEN = ("builds", "fidelity", "variants", "idle", PEERS.format(SHIPPED), PEERS.format(EXAMPLE))
"""The parts that `make bench` measures."""


def is_whole(results: Results) -> bool:
    """Whether this is a run of all that `make bench` measures, whose machine and command stand on top of the page."""
    return set(results.get("origins", {})) >= set(TAKEN)


def merge(earlier: Results, results: Results) -> dict[str, Any]:
    """The earlier page's results with these in place of theirs, part by part and model by model.

    What a whole run did not measure is kept where it is of the same versions. Raises ValueError where parts are not.
    """
    if earlier["host"]["versions"] != results["host"]["versions"]:
        if not is_whole(results):
            raise ValueError("the page is of other versions than are installed now: measure all of it anew")
        return dict(results)
    top = () if is_whole(results) else ("host", "date", "command")
    merged = {**earlier, **{name: value for name, value in results.items() if name not in top}}
    return merged | {name: {**earlier[name], **results.get(name, {})} for name in ("seconds", "origins", "peers")}


def name_origin(results: Results) -> dict[str, str]:
    """When and on what a run measures."""
    return {"date": results["date"], "processor": results["host"]["processor"]}


def tell_origin(results: Results, part: str) -> str:
    """A sentence on a part that is not of the run on top of the page, else nothing."""
    origin = results["origins"].get(part, name_origin(results))
    return "" if origin == name_origin(results) else "Measured apart, on {date} on {processor}.".format(**origin)
