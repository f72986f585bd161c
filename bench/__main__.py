"""`python -m bench`: builds, sizes and speed beside PyTorch, in one run on this machine."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.builds import measure_builds, run_build
from bench.fidelity import measure_fidelity
from bench.goals import judge
from bench.host import describe_host
from bench.idle import measure_idle
from bench.markdown import write_markdown
from bench.peers.measure import measure_peers
from bench.plan import VARIANTS, WORK, Plan
from bench.prepare import link_examples, prepare_checkpoint
from bench.shapes import LARGE, NANO
from bench.sizes import measure_sizes
from bench.speed import measure_speed
from bench.tables import print_results
from bench.variants import measure_variants
from gpt2forge.measure.bandwidth import ROWS, Bandwidth

PARTS = ("builds", "sizes", "speed", "peers", "fidelity", "variants", "idle")
WIDTH = 150  # columns where no terminal says how many there are: in a file, nothing is cut off
NOTE = """Works in bench/work: 12 GB of disk (checkpoint, store), made once and kept. The largest moment holds two
float32 models, PyTorch's and onnxruntime's, and three small ones: 11 GB of memory. `make clean` removes all of it."""


def measure(plan: Plan, small: Plan, parts: list[str], bandwidth_rows: int = ROWS) -> dict[str, Any]:
    """Measure these parts one after the other; what a part needs is built first, without being measured."""
    results: dict[str, Any] = {"host": describe_host(), "model": plan.model, "prompt": plan.prompt}
    link_examples(plan.work)
    link_examples(small.work)
    if set(parts) - {"fidelity", "variants", "idle"}:
        say(f"the checkpoint of {plan.model}")
        prepare_checkpoint(plan)
    if "builds" in parts:
        say(f"{plan.builds} builds from an empty store")
        results["builds"] = measure_builds(plan, small)
    if {"sizes", "speed", "peers"} & set(parts):
        say("the other variants")
        builds = [run_build(plan.recipe(variant), plan.work, plan.store) for variant in VARIANTS]
        weights = plan.store / "artifacts" / builds[-1].digest("convert")
    if "sizes" in parts:
        results["sizes"] = measure_sizes(plan)
    if "speed" in parts:
        say(f"{plan.rounds} rounds of every system")
        results["speed"] = measure_speed(plan, weights, Bandwidth(bandwidth_rows))
    if "peers" in parts:
        say(f"{plan.rounds} rounds of every peer")
        results["peers"] = measure_peers(plan, weights)
    if "fidelity" in parts:
        say(f"what {small.model}'s builds cost in accuracy")
        results["fidelity"] = measure_fidelity(small)
    if "variants" in parts:
        say(f"{small.model}'s variants, one after the other and at once")
        results["variants"] = measure_variants(small, plan.rounds)
    if "idle" in parts:
        say("builds that have nothing to do, beside other build systems")
        results["idle"] = measure_idle(plan.work / "idle", 3 * plan.rounds)
    results["goals"] = [verdict.to_json() for verdict in judge(results)]
    return results


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what} ...", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=NOTE)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part (may be repeated)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of every system, in turns (default %(default)s)")
    parser.add_argument("--builds", type=int, default=3, help="builds from an empty store (default %(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder to work in (default bench/work)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of tables")
    parser.add_argument("--markdown", action="store_true", help="print the README's tables (sizes and speed, fidelity)")
    options = parser.parse_args()
    work = options.work.resolve()
    plan = Plan("774m", LARGE, work / "checkpoints" / "774M", work, options.rounds, options.builds)
    small = Plan("nano", NANO, work / "examples" / "nano", work / "nano", options.rounds, options.builds)
    results = measure(plan, small, options.only or list(PARTS))
    text = json.dumps(results, indent=2) + "\n"
    (work / "results.json").write_text(text, encoding="utf-8")
    if options.json:
        sys.stdout.write(text)
    elif options.markdown:
        sys.stdout.write(write_markdown(results))
    else:
        console = Console()
        wide = console if console.is_terminal else Console(width=WIDTH)
        print_results(wide, results, list(judge(results)))


if __name__ == "__main__":
    main()
