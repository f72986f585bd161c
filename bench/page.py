"""The results on the page: each part as it was measured last, all with one version of every tool."""

from collections.abc import Mapping
from typing import Any

from bench.host import TOOLS
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

    Parts that a whole run did not measure are kept if they have the same versions: peers those of all tools, other
    parts those of ours. Raises ValueError if parts have not.
    """
    if earlier["host"]["versions"] != results["host"]["versions"]:
        if not is_whole(results):
            raise ValueError("the page is of other versions than are installed now: measure all of it anew")
        if read_tools(earlier) != read_tools(results):
            return dict(results)
        earlier = keep_ours(earlier)
    top = () if is_whole(results) else ("host", "date", "command")
    merged = {**earlier, **{name: value for name, value in results.items() if name not in top}}
    return merged | {name: {**earlier[name], **results.get(name, {})} for name in ("seconds", "origins", "peers")}


def read_tools(results: Results) -> dict[str, str]:
    """Return the versions of the tools that ours runs with."""
    return {tool: results["host"]["versions"][tool] for tool in TOOLS}


def keep_ours(results: Results) -> dict[str, Any]:
    """Return the results without peers."""
    parts = {
        name: {part: each for part, each in results[name].items() if not part.startswith(PEERS.format(""))}
        for name in ("seconds", "origins")
    }
    return {**results, **parts, "peers": {}}


def name_origin(results: Results) -> dict[str, str]:
    """Return the date and the processor of a run."""
    return {"date": results["date"], "processor": results["host"]["processor"]}


def describe_origin(results: Results, part: str) -> str:
    """Return a sentence on a part that is of another run than the one on top of the page, else an empty text."""
    origin = results["origins"].get(part, name_origin(results))
    if origin == name_origin(results):
        return ""
    return "The following was measured apart, on {date} on {processor}:".format(**origin)
