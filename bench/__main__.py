"""`python -m bench`: builds, sizes, speed and fidelity beside other systems, in one run on this machine."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from bench.builds import COLD, measure_builds, measure_fidelity, measure_fitting, measure_variants, run_build
from bench.ceiling.measure import measure_ceiling
from bench.cluster import measure_cluster
from bench.document import compose_readme, print_results, read_results, write_document
from bench.formats import measure_formats
from bench.goals import add_goals
from bench.host import describe_host
from bench.idle import measure_idle
from bench.kernels import measure_kernels
from bench.page import PEERS, merge, name_origin
from bench.peers.measure import measure_peers
from bench.plan import EXAMPLE, ROUNDS, SHIPPED, WORK, Plan, plan_models, plan_rewrites
from bench.prepare import EXAMPLES, link_folders, prepare_checkpoint
from bench.quiet import report
from bench.remote import measure_remote
from bench.scale import measure_scale
from bench.session_options import measure_options
from bench.shapes import SHAPES
from bench.texts import measure_texts
from gpt2forge.measure.bandwidth import ROWS as BANDWIDTH_ROWS
from gpt2forge.measure.bandwidth import Bandwidth
from interop.environments import EnvironmentFault
from interop.tensorflow_process import TensorFlowFault

APART = (
    "kernels",
    "ceiling",
    "options",
    "rewrites",
    "fitting",
    "formats",
    "scale",
    "remote",
    "cluster",
    "texts",
)  # parts that `make bench` has no time for
PARTS = ("builds", "peers", "fidelity", "variants", "idle", *APART)
USUAL = [SHIPPED, EXAMPLE]
WIDTH = 150  # columns of output that goes to no terminal
NOTE = """Works in bench/work and keeps 25 GB of disk there for the next run (checkpoint, store, conversions for other
systems), which `make clean` removes. As many systems are open at once as memory holds; Optimum's export takes 14 GB at
774M."""

Keep = Callable[[dict[str, Any]], None]
"""Called with the results so far."""


def measure(
    plans: dict[str, Plan],
    parts: list[str],
    bandwidth_rows: int = BANDWIDTH_ROWS,
    keep: Keep = lambda results: None,
    earlier: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Measure these parts one after the other, once their checkpoints are made.

    A part that fails is named in `failed` and stops no other; parts among `earlier` results are taken from there. All
    parts but the peers need plans of the shipped model and of the example.
    """
    results: dict[str, Any] = {"host": describe_host(), "date": time.strftime("%Y-%m-%d"), **earlier}
    need_checkpoint = {"builds", "peers", "rewrites", "fitting", "formats", "remote", "texts"}
    for plan in plans.values():
        link_folders(plan.work, EXAMPLES)
        if not plan.is_trained and need_checkpoint & set(parts):
            report(f"the checkpoint of {plan.model}")
            prepare_checkpoint(plan)
    steps: dict[str, tuple[str, Callable[[], Any]]] = {
        "builds": ("builds from an empty store", lambda: measure_builds(plans[SHIPPED], plans[EXAMPLE])),
        "fidelity": ("what the example's builds verify", lambda: measure_fidelity(plans[EXAMPLE])),
        "variants": ("variants one after the other and at once", lambda: measure_variants(plans[EXAMPLE])),
        "idle": ("builds that have nothing to do", lambda: measure_idle(plans[SHIPPED].work / "idle")),
        "kernels": ("products alone", lambda: measure_kernels(Bandwidth(bandwidth_rows), plans[SHIPPED])),
        "ceiling": ("what kernels could do", lambda: measure_ceiling(plans[SHIPPED])),
        "options": ("sessions of other options", lambda: measure_options(plans[SHIPPED])),
        "rewrites": ("what each rewrite gives", lambda: measure_rewrites(plans[SHIPPED], bandwidth_rows)),
        "scale": ("many recipes and artifacts", lambda: measure_scale(plans[SHIPPED].work / "scale")),
        "remote": ("builds with a remote level", lambda: measure_remote(plans)),
        "cluster": ("builds on a cluster", lambda: measure_cluster(plans[EXAMPLE].work / "cluster")),
        "formats": ("conversions from each format", lambda: measure_formats(plans)),
        "texts": ("whole texts beside other systems", lambda: measure_texts(plans)),
        "fitting": ("a build that fits weights to a text", lambda: measure_fitting(plans[SHIPPED])),
    }
    for part, (what, act) in steps.items():
        if part in parts and part not in results:
            with attempt(results, part, what, keep):
                results[part] = act()
    for model, plan in plans.items() if "peers" in parts else ():
        peers = results.setdefault("peers", {})
        if model not in peers:
            part = PEERS.format(model)
            with attempt(results, part, part, keep):
                peers[model] = measure_model(plan, bandwidth_rows)
    if peers := results.get("peers"):  # in the plans' order, whichever was measured first
        results["peers"] = {model: peers[model] for model in (*plans, *peers) if model in peers}
    return add_goals(results)


@contextmanager
def attempt(results: dict[str, Any], part: str, what: str, keep: Keep) -> Iterator[None]:
    """Record a part's time and origin, or why it failed; then keep the results so far."""
    report(what)
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        results.setdefault("failed", {})[what] = repr(error)
        report(f"{what} failed: {error!r}")
    else:
        results.setdefault("seconds", {})[part] = time.monotonic() - began
        results.setdefault("origins", {})[part] = name_origin(results)
    keep(results)


def measure_model(plan: Plan, bandwidth_rows: int) -> dict[str, Any]:
    """Measure every system, from the folder of transformers that our own build makes."""
    weights = plan.store / "artifacts" / run_build(plan, COLD).digest("convert")
    return measure_peers(plan, weights, Bandwidth(bandwidth_rows))


def measure_rewrites(plan: Plan, bandwidth_rows: int) -> dict[str, Any]:
    """Measure our int8 recipes, and each of them without one rewrite."""
    plans = plan_rewrites(plan).items()
    return {"variants": {name: measure_peers(each, plan.checkpoint, Bandwidth(bandwidth_rows)) for name, each in plans}}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=NOTE)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part (may be repeated)")
    parser.add_argument(
        "--model", action="append", choices=SHAPES, help=f"peers, formats, remote, texts of these ({USUAL} or all)"
    )
    parser.add_argument("--system", action="append", default=[], help="and these systems alone (may be repeated)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of every run at most (default %(default)s)")
    parser.add_argument("--builds", type=int, default=2, help="builds from an empty store (default %(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder to work in (default bench/work)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of tables")
    parser.add_argument("--markdown", action="store_true", help="print the README's tables (sizes and speed, fidelity)")
    parser.add_argument("--resume", action="store_true", help="go on where a run was interrupted")
    parser.add_argument("--write-docs", action="store_true", help="put what was measured into docs/benchmarks.md")
    parser.add_argument("--from-docs", action="store_true", help="measure nothing: take docs/benchmarks/results.json")
    return parser.parse_args()


def main() -> None:
    options = parse()
    try:
        results = read_results() if options.from_docs else run(options)
    except (EnvironmentFault, TensorFlowFault) as fault:
        sys.exit(f"error: {fault}")
    failed = results.get("failed")
    if options.write_docs and not (options.system or failed):
        write_document(results if options.from_docs else merge_page(results))
    if options.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    elif options.markdown:
        sys.stdout.write(compose_readme(results))
    else:
        console = Console()
        print_results(console if console.is_terminal else Console(width=WIDTH), results)
    if failed:
        sys.exit(f"error: no page is written of a run whose parts failed: {', '.join(failed)}")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what the options ask for, and keep the results in the work folder, part by part."""
    work = options.work.resolve()
    models = options.model or choose_models(options.only)
    plans = plan_models(models, work, options.rounds, options.builds, tuple(options.system))
    parts = options.only or choose_parts(set(models))
    parts += ["cluster"] if "remote" in parts and EXAMPLE in models else []
    command = {"command": name_command(sys.argv[1:])}

    def keep(results: dict[str, Any]) -> None:
        (work / "results.json").write_text(json.dumps({**command, **results}, indent=2) + "\n", encoding="utf-8")

    results = measure(plans, parts, keep=keep, earlier=read_earlier(work) if options.resume else {})
    keep(results)
    return {**command, **results}


def choose_models(parts: list[str] | None) -> list[str]:
    """Return the models to measure unless the command names them: formats alone are measured of every size."""
    return list(SHAPES) if parts == ["formats"] else USUAL


def choose_parts(models: set[str]) -> list[str]:
    """Return the parts to measure of these models unless the command names them; some need both of the usual two."""
    if models >= set(SHAPES):
        return list(PARTS)
    return [part for part in PARTS if part not in APART] if models >= set(USUAL) else ["peers"]


def merge_page(results: dict[str, Any]) -> dict[str, Any]:
    """Return the page's results with these in place; end the program if they have several versions."""
    try:
        return add_goals(merge(read_results(), results))
    except ValueError as error:
        sys.exit(f"error: {error}")


def read_earlier(work: Path) -> dict[str, Any]:
    """Return the parts that an interrupted run left; end the program if they have other versions."""
    found: dict[str, Any] = json.loads((work / "results.json").read_text(encoding="utf-8"))
    if found["host"]["versions"] != describe_host()["versions"]:
        sys.exit("error: --resume: other versions were measured than are installed now; begin anew, without it")
    return {name: value for name, value in found.items() if name not in ("command", "failed", "goals")}


def name_command(words: list[str]) -> str:
    """Return the command as typed, without this machine's work folder."""
    kept = [word for place, word in enumerate(words) if "--work" not in (word, *words[max(place - 1, 0) : place])]
    return " ".join(["python -m bench", *(f'"{word}"' if " " in word else word for word in kept)])


if __name__ == "__main__":
    main()
