"""The results as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.goals import LONG, PYTORCH, Verdict, find, find_loop
from bench.page import PEERS
from bench.plan import SHORT
from bench.sheet import Sheet, show_spread
from gpt2forge.cli.summary import format_interval

Results = Mapping[str, Any]


Parts = Iterator[tuple[str, list[Sheet]]]
"""The tables of each part, by the name that its origin is kept by."""


def tabulate(results: Results) -> Parts:
    """A table or more of each part that was measured, and the goals last."""
    if "builds" in results:
        title = "Builds from an empty store, and with nothing to do (RssAnon of the process tree)"
        yield "builds", [tabulate_builds(title, results["builds"])]
    if "fitting" in results:
        yield "fitting", [tabulate_builds("The same of 774M fitted to a text", results["fitting"])]
    for model, peers in results.get("peers", {}).items():
        yield PEERS.format(model), list(tabulate_peers(model, peers))
    if "fidelity" in results:
        yield "fidelity", [tabulate_fidelity(results["fidelity"])]
    if "variants" in results:
        yield "variants", [tabulate_variants(results["variants"])]
    if "idle" in results:
        yield "idle", [tabulate_idle(results["idle"])]
    yield "goals", [tabulate_verdicts([Verdict(**drop_reached(goal)) for goal in results["goals"]])]


def tabulate_graph(results: Results) -> Parts:
    """What the graph is made of: rewrites and products."""
    if "rewrites" in results:
        yield "rewrites", list(tabulate_rewrites(results["rewrites"]))
    if "kernels" in results:
        yield "kernels", list(tabulate_kernels(results["kernels"]))


def drop_reached(goal: Results) -> dict[str, Any]:
    return {name: value for name, value in goal.items() if name != "reached"}


def tabulate_builds(title: str, builds: Results) -> Sheet:
    rows = [
        (
            name,
            show_spread(build["seconds"], 2),
            f"{build['peak_memory_bytes'] / 1e6:.0f}",
            f"{build['peak_memory_bytes_told'] / 1e6:.0f}" if build["steps"] else "",
            "  ".join(f"{stage} {seconds:.2f}" for stage, seconds in build["steps"].items()),
        )
        for name, build in builds.items()
    ]
    columns = ("build", "seconds", "peak MB from outside", "MB in the report", "seconds of each step")
    return Sheet(title, columns, rows)


def tabulate_peers(model: str, peers: Results) -> Iterator[Sheet]:
    """What a system costs to make and to hold, then a prompt, a token, several texts, fidelity; and what failed."""
    systems = {name: found for name, found in peers["systems"].items() if "prefill_ms" in found}
    yield tabulate_making(model, peers)
    yield tabulate_tokens(model, peers, systems)
    yield tabulate_lengths(f"{model}: milliseconds of a prompt, by its tokens", "prefill_ms", systems, 1)
    yield tabulate_lengths(f"{model}: tokens a second, by texts at once", "tokens_s", systems, 0)
    if any(found.get("fidelity") for found in systems.values()):
        yield tabulate_truth(model, systems)
    yield from tabulate_failures(model, peers)


def tabulate_failures(title: str, peers: Results) -> Iterator[Sheet]:
    failed = [(name, found["error"]) for name, found in peers["systems"].items() if "error" in found]
    if failed:
        yield Sheet(f"{title}: what failed", ("system", "what it said"), failed)


def tabulate_making(model: str, peers: Results) -> Sheet:
    rows = [
        (
            name,
            f"{found['seconds']:.1f}{' *' if found.get('kept') else ''}",
            f"{found['peak_memory_bytes'] / 1e6:.0f}",
            f"{found['bytes'] / 1e6:.1f}",
            f"{found['bytes'] / peers['float32_bytes']:.1%}",
            *((f"{found['load_s']:.2f}", f"{found['memory_bytes'] / 1e6:.0f}") if "load_s" in found else ("-", "-")),
        )
        for name, found in peers["systems"].items()
        if "bytes" in found
    ]
    columns = ("system", "build, s", "peak MB", "MB", "of float32", "load, s", "MB of anonymous memory then")
    return Sheet(f"{model}: made and opened (* as an earlier run measured it, and kept)", columns, rows)


def tabulate_tokens(model: str, peers: Results, systems: Results) -> Sheet:
    lengths = list_lengths("token_ms", systems)
    reference = find(systems, PYTORCH, "token_ms", str(SHORT), "median")
    rows = []
    for name, found in systems.items():
        token = find(systems, name, "token_ms", str(SHORT), "median")
        limit = find(systems, name, "limit_ms", str(SHORT), "median")
        share = find(systems, name, "limit_share", str(SHORT), "median")
        same = found["tokens_as_pytorch"]
        rows.append(
            (
                name,
                *(show_spread(found["token_ms"].get(length), 2) for length in lengths),
                f"{token / reference:.3f}" if token and reference else "-",
                f"{limit:.2f}" if limit else "-",
                f"{share:.0%}" if share else "-",
                f"{same[0]}/{same[1]}",
            )
        )
    memory, gate = peers["memory_gb_s"], peers["gate"]
    loop = find_loop(memory)
    paged = sum(found["paged_runs"] for found in systems.values())
    columns = ("system", *(f"behind {length}" for length in lengths), "of PyTorch", "limit", "reached", "same tokens")
    title = (
        f"{model}: milliseconds of a new token, by tokens before it; the limit is to read the weights once at "
        f"the memory's speed just before, {show_spread(memory[loop])} GB/s ({loop}); {gate['passed']} measurements "
        f"waited {gate['waited_s']:.0f} s for the processor, {gate['gave_up']} of them in vain; "
        f"{paged} runs waited for the disk and are not kept"
    )
    return Sheet(title, columns, rows)


def tabulate_lengths(title: str, kind: str, systems: Results, digits: int) -> Sheet:
    lengths = list_lengths(kind, systems)
    rows = [
        (name, *(show_spread(found[kind].get(length), digits) for length in lengths)) for name, found in systems.items()
    ]
    return Sheet(title, ("system", *lengths), rows)


def list_lengths(kind: str, systems: Results) -> list[str]:
    return sorted({length for found in systems.values() for length in found[kind]}, key=int)


def tabulate_truth(model: str, systems: Results) -> Sheet:
    rows = [
        (
            name,
            f"{found['bytes'] / 1e6:.2f}",
            f"{found['read_bytes'] / 1e6:.2f}",
            f"{found['fidelity']['perplexity']:.3f}",
            show_interval(found["fidelity"], "perplexity_increase", "+.3%"),
            show_interval(found["fidelity"], "kl_mean", ".2e"),
            f"{found['fidelity']['kl_p99']:.1e}",
            f"{found['fidelity']['top1_agreement']:.2%}",
        )
        for name, found in systems.items()
        if found.get("fidelity")
    ]
    columns = ("system", "MB", "of weights", "perplexity", "beside PyTorch [95 %]", "KL [95 %]", "KL 99 %", "top-1")
    return Sheet(f"{model}: held against PyTorch float32 on held-out text, in the same run", columns, rows)


def show_interval(told: Results, name: str, form: str) -> str:
    return f"{told[name]:{form}}{format_interval(told['intervals'][name], form)}"


def tabulate_fidelity(fidelity: Results) -> Sheet:
    rows = [
        (
            name,
            f"{found['bytes'] / 1e6:.1f}",
            f"{found['perplexity_increase']:+.3%}",
            f"{found['kl_mean']:.2e}",
            *("-" if worst is None else f"{worst:.1e}" for worst in found["properties"].values()),
        )
        for name, found in fidelity.items()
    ]
    first = next(iter(fidelity.values()))
    columns = ("variant", "MB", "perplexity", "KL", *(name.replace("_", " ") for name in first["properties"]))
    title = f"nano as its builds verify it, on {first['tokens']} tokens in windows of {first['window']}"
    return Sheet(title, columns, rows)


def tabulate_verdicts(verdicts: list[Verdict]) -> Sheet:
    rows = [
        (
            verdict.what,
            f"{verdict.value:.4f} {verdict.unit}",
            f"at {'least' if verdict.at_least else 'most'} {verdict.goal:g}",
            "yes" if verdict.reached else "NO",
        )
        for verdict in verdicts
    ]
    return Sheet("Goals", ("number", "measured", "goal", "reached"), rows)


def tabulate_idle(idle: Results) -> Sheet:
    ours = idle["gpt2forge build"]["median"]
    rows = [(name, show_spread(spread), f"{spread['median'] / ours:.1f}") for name, spread in idle.items()]
    return Sheet("Nothing to do, whole process, in turns", ("command", "ms", "ratio"), rows)


def tabulate_variants(variants: Results) -> Sheet:
    slowest = max(spread["median"] for spread in variants.values())
    rows = [(name, show_spread(spread), f"{spread['median'] / slowest:.2f}") for name, spread in variants.items()]
    return Sheet("nano's shipped variants from an empty store, in turns", ("", "s", "ratio"), rows)


def tabulate_rewrites(rewrites: Results) -> Iterator[Sheet]:
    """A table for each recipe; what the ratios are to is its first row."""
    for base, peers in rewrites["variants"].items():
        systems, whole = peers["systems"], f"ours, {base}"
        rows = []
        for name, found in systems.items():
            cells = [name.removeprefix(f"{whole}, ") if name != whole else "as it is built"]
            for kind in ("token_ms", "prefill_ms"):
                for length in (str(SHORT), LONG):
                    taken, built = (find(systems, each, kind, length, "median") for each in (name, whole))
                    cells += [show_spread(found.get(kind, {}).get(length))]
                    cells += [f"{taken / built:.2f}" if taken and built else "-"]
            rows.append(cells)
        columns = [
            "",
            "a token behind 64",
            "ratio",
            "behind 1000",
            "ratio",
            "a prompt of 64",
            "ratio",
            "of 1000",
            "ratio",
        ]
        yield Sheet(f"774m, {base}: milliseconds, with a part of the graph in another form", columns, rows)
        yield from tabulate_failures(f"774m, {base}", peers)


def tabulate_kernels(kernels: Results) -> Iterator[Sheet]:
    """A table of each group of products."""
    memory = kernels["memory_gb_s"]
    speed = show_spread(memory[find_loop(memory)])
    for what, found in kernels["products"].items():
        lengths = list(next(iter(found["forms"].values()))["ms"])
        rows = []
        for name, form in found["forms"].items():
            cells = [name, f"{form['bytes'] / 1e6:.2f}"]
            for length, spread in form["ms"].items():
                rate = int(length) * found["weights"] / spread["median"] / 1e6
                read = form["bytes"] / spread["median"] / 1e6
                cells += [show_spread(spread, 2), f"{read:.1f}" if length == "1" else f"{rate:.0f}"]
            rows.append(cells)
        heads = [(f"{length} rows, ms", "10^9 products/s") for length in lengths if length != "1"]
        columns = ["weights as", "MB", "1 row, ms", "GB/s", *(word for head in heads for word in head)]
        weights = f"{found['weights'] / 1e6:.1f} million weights"
        yield Sheet(f"{what} of 774m alone, {weights}; memory at {speed} GB/s", columns, rows)
