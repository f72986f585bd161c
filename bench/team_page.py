"""The tables of docs/scaling.md, from docs/benchmarks/scaling.json."""

import json
import re
from collections.abc import Mapping
from typing import Any

from bench.document import DOCS
from bench.sheet import write_rows

PAGE, RESULTS = DOCS / "scaling.md", DOCS / "benchmarks/scaling.json"
PART = re.compile(r"(<!-- simulated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
TRIP, RATE = 0.02, 1e8
"""Seconds of one request, and bytes a second: a cloud's object store, seen from an office."""

KINDS = {
    "weights in float32": ("convert",),
    "graphs": ("export", "fuse"),
    "what PyTorch says on the text": ("reference",),
    "packages": ("quantize",),
    "measurements": ("verify", "benchmark"),
}
"""The stages whose artifacts a row of the table counts."""

PLAN, NO_OP = "plan", "build with nothing to do"
Results = Mapping[str, Any]


def tabulate_kept(results: Results) -> str:
    """Return the table of what a level keeps: artifacts, files, bytes, and requests to push them once."""
    rows = [["", "artifacts", "files", "GB", "requests to push them"], ["---", *["--:"] * 4]]
    kept = results["kept"]
    for name, stages in (*KINDS.items(), ("all", tuple(kept))):
        artifacts, files, size = (
            sum(kept[stage][what] for stage in stages) for what in ("artifacts", "files", "bytes")
        )
        rows.append(
            [
                name,
                *(f"{count:,}" for count in (artifacts, files)),
                show_gb(size),
                f"{count_pushes(artifacts, files):,}",
            ]
        )
    return write_rows(rows)


def count_pushes(artifacts: int, files: int) -> int:
    """Return the requests that push artifacts: a file takes three, an entry three (remote/push.py)."""
    return 3 * (artifacts + files)


def tabulate_costs(results: Results) -> str:
    """Return the table of what commands cost by the number of variants."""
    heads = ("variants", "`plan`", "`build`, nothing to do", "`build`, empty store: requests", "GB pulled", "seconds")
    rows = [list(heads), ["--:"] * len(heads)]
    commands = results["commands"]
    for count, spread in commands[PLAN].items():
        fresh, idle = results["fresh"].get(count), commands[NO_OP].get(count)
        shown = [f"{spread['least']:.1f} s", f"{idle['least']:.2f} s" if idle else "-"]
        rows.append([f"{int(count):,}", *shown, *show_fresh(fresh)])
    return write_rows(rows)


def show_fresh(fresh: Mapping[str, float] | None) -> list[str]:
    """Return the requests, the bytes, and the seconds that they take with the planner's own."""
    if fresh is None:
        return ["-"] * 3
    requests = int(fresh["records"] + fresh["files"])
    seconds = fresh["seconds"] + TRIP * requests + fresh["bytes"] / RATE
    return [f"{requests:,}", show_gb(fresh["bytes"]), f"{seconds:,.0f}"]


def show_gb(size: float) -> str:
    return f"{size / 1e9:,.1f}" if size < 1e11 else f"{size / 1e9:,.0f}"


TABLES = {"kept": tabulate_kept, "costs": tabulate_costs}


def fill_page(text: str, results: Results) -> str:
    """Return the page with its tables as the results have them."""
    return PART.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](results)}\n{found[3]}", text)


def read_results() -> Results:
    results: Results = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results
