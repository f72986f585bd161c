"""The results as tables."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.ceiling.tables import show_load, tabulate_ceiling, tabulate_missed
from bench.goals import LONG, PYTORCH, find, find_loop
from bench.misses import explain
from bench.page import PEERS
from bench.plan import EXAMPLE, SHIPPED, SHIPPED_VARIANTS, SHORT, VARIANTS
from bench.sheet import Column, Sheet, make_sheet, show_megabytes, show_ratio, show_spread
from gpt2forge.cli.summary import format_interval

Results = Mapping[str, Any]

Parts = Iterable[tuple[str, list[Sheet]]]
"""The tables of each part, by the part's name in the origins."""

KEY = str(SHORT)


def tabulate(results: Results) -> Parts:
    """Yield a table or more of each part that was measured, and the goals last."""
    if "builds" in results:
        title = "Builds from an empty store, and with nothing to do (RssAnon of the process tree)"
        yield "builds", [tabulate_builds(title, results["builds"])]
    if "fitting" in results:
        yield "fitting", [tabulate_builds("The same of 774M fitted to a text", results["fitting"])]
    if "formats" in results:
        yield "formats", [tabulate_formats(results["formats"])]
    for model, peers in results.get("peers", {}).items():
        yield PEERS.format(model), list(tabulate_peers(model, peers))
    if "fidelity" in results:
        yield "fidelity", [tabulate_fidelity(results["fidelity"])]
    if "variants" in results:
        slowest = max(spread["median"] for spread in results["variants"].values())
        title = "nano's shipped variants from an empty store, in turns"
        yield "variants", [tabulate_times(title, ("", "s"), results["variants"], slowest, ".2f")]
    if "idle" in results:
        ours = results["idle"]["gpt2forge build"]["median"]
        title = "Nothing to do, whole process, in turns"
        yield "idle", [tabulate_times(title, ("command", "ms"), results["idle"], ours, ".1f")]
    if "scale" in results:
        yield "scale", [tabulate_scale(what, found["systems"]) for what, found in results["scale"].items()]
    if "remote" in results:
        yield "remote", [tabulate_remote(model, found) for model, found in results["remote"].items()]
    if "cluster" in results:
        slowest = max(spread["median"] for spread in results["cluster"].values())
        title = "Ten variants of nano from an empty store, on workers of a cluster on this machine"
        yield "cluster", [tabulate_times(title, ("", "s"), results["cluster"], slowest, ".2f")]
    yield "goals", [tabulate_goals(results["goals"])]


def tabulate_graph(results: Results) -> Parts:
    """Yield the tables of the graph's parts: rewrites, products, and what kernels could do."""
    if "rewrites" in results:
        yield "rewrites", list(tabulate_rewrites(results["rewrites"]))
    if "kernels" in results:
        yield "kernels", list(tabulate_kernels(results["kernels"]))
    if "ceiling" in results:
        yield "ceiling", [*tabulate_ceiling(results["ceiling"]), tabulate_missed(results)]
    if "options" in results:
        yield "options", [tabulate_options(results["options"])]


def tabulate_readme(results: Results) -> Iterator[Sheet]:
    """Yield the tables of the README: speed of the shipped model, fidelity of the example."""
    if SHIPPED in results.get("peers", {}):
        yield tabulate_speed(results["peers"][SHIPPED])
    if "fidelity" in results:
        yield tabulate_recipes(results["fidelity"])


def tabulate_speed(peers: Results) -> Sheet:
    """Return a row for PyTorch and for each variant."""
    systems, whole = peers["systems"], peers["float32_bytes"]
    ours = {f"`{SHIPPED}-{VARIANTS[variant].recipe}`": f"ours, {variant}" for variant in SHIPPED_VARIANTS}

    def show_part(name: str, kind: str) -> str:
        taken, reference = (find(systems, each, kind, KEY, "median") for each in (name, PYTORCH))
        return show_ratio(taken, reference, ".3f")

    return make_sheet(
        "",
        "recipe",
        {recipe: name for recipe, name in {"": PYTORCH, **ours}.items() if name in systems},
        ("what", lambda name: name.removeprefix("ours, ")),
        ("MB", lambda name: "" if name == PYTORCH else show_megabytes(systems[name]["bytes"], 0)),
        ("of float32", lambda name: "" if name == PYTORCH else f"{systems[name]['bytes'] / whole:.1%}"),
        ("a new token, ms", lambda name: show_median(systems[name], "token_ms", ".1f")),
        ("of PyTorch", lambda name: show_part(name, "token_ms")),
        ("prompt of 64, ms", lambda name: show_median(systems[name], "prefill_ms", ".0f")),
        ("of PyTorch", lambda name: show_part(name, "prefill_ms")),
    )


def tabulate_recipes(fidelity: Results) -> Sheet:
    """Return a row for each of nano's recipes."""
    return make_sheet(
        "",
        "recipe",
        {f"`{EXAMPLE}-{VARIANTS[name].recipe}`": {"variant": name, **found} for name, found in fidelity.items()},
        ("what", lambda found: str(found["variant"])),
        ("MB", lambda found: show_megabytes(found["bytes"])),
        ("perplexity beside PyTorch", lambda found: f"{found['perplexity_increase']:+.3%}"),
        ("KL divergence", lambda found: f"{found['kl_mean']:.1e}"),
        ("same token", lambda found: f"{found['top1_agreement']:.2%}"),
        ("worst of the properties", lambda found: f"{max(value or 0 for value in found['properties'].values()):.0e}"),
    )


def tabulate_builds(title: str, builds: Results) -> Sheet:
    return make_sheet(
        title,
        "build",
        builds,
        ("seconds", lambda build: show_spread(build["seconds"], 2)),
        ("peak MB from outside", lambda build: show_megabytes(build["peak_memory_bytes"], 0)),
        ("MB in the report", lambda made: show_megabytes(made["peak_memory_bytes_told"], 0) if made["steps"] else ""),
        ("seconds of each step", lambda build: "  ".join(f"{step} {s:.2f}" for step, s in build["steps"].items())),
    )


def tabulate_formats(formats: Results) -> Sheet:
    """Return a row for each size and format."""
    rows = {f"{model}, {name}": found for model, each in formats.items() for name, found in each.items()}
    return make_sheet(
        "Converted to float32, each in a process of its own (RssAnon of the process tree)",
        "checkpoint",
        rows,
        ("float32, MB", lambda found: show_megabytes(found["float32_bytes"], 0)),
        ("peak MB", lambda found: show_megabytes(found["peak_memory_bytes"], 0)),
    )


def tabulate_peers(model: str, peers: Results) -> Iterator[Sheet]:
    """Yield the cost to make and to hold a system, then a prompt, a token, several texts, fidelity, and failures."""
    systems = {name: found for name, found in peers["systems"].items() if "prefill_ms" in found}
    yield tabulate_making(model, peers)
    yield from tabulate_compiled(model, systems)
    yield tabulate_tokens(model, peers, systems)
    yield tabulate_lengths(f"{model}: milliseconds of a prompt, by its tokens", "prefill_ms", systems, 1)
    yield tabulate_lengths(f"{model}: tokens a second, by texts at once", "tokens_s", systems, 0)
    if faithful := {name: found for name, found in systems.items() if found.get("fidelity")}:
        yield tabulate_truth(model, faithful)
    yield from tabulate_failures(model, peers)


def tabulate_failures(title: str, peers: Results) -> Iterator[Sheet]:
    failed = {name: found for name, found in peers["systems"].items() if "error" in found}
    if failed:
        yield make_sheet(f"{title}: what failed", "system", failed, ("what it said", lambda found: str(found["error"])))


def tabulate_making(model: str, peers: Results) -> Sheet:
    return make_sheet(
        f"{model}: made and opened (* as an earlier run measured it, and kept)",
        "system",
        {name: found for name, found in peers["systems"].items() if "bytes" in found},
        ("build, s", lambda found: f"{found['seconds']:.1f}{' *' if found.get('kept') else ''}"),
        ("peak MB", lambda found: show_megabytes(found["peak_memory_bytes"], 0)),
        ("MB", lambda found: show_megabytes(found["bytes"])),
        ("of float32", lambda found: f"{found['bytes'] / peers['float32_bytes']:.1%}"),
        ("load, s", lambda found: f"{found['load_s']:.2f}" if "load_s" in found else "-"),
        ("MB of anonymous memory then", lambda found: show_megabytes(found.get("memory_bytes"), 0)),
    )


def tabulate_compiled(model: str, systems: Results) -> Iterator[Sheet]:
    """Yield a table of the instructions that libraries were compiled for, if any were compiled on this machine."""
    compiled = {name: found for name, found in systems.items() if found.get("compiled_for")}
    if compiled:
        title = f"{model}: compiled for this processor, with what it does by itself: repacked weights, fused attention"
        yield make_sheet(title, "system", compiled, ("in its own words", lambda found: str(found["compiled_for"])))


def tabulate_tokens(model: str, peers: Results, systems: Results) -> Sheet:
    reference = find(systems, PYTORCH, "token_ms", KEY, "median")
    memory, gate = peers["memory_gb_s"], peers["gate"]
    loop = find_loop(memory)
    paged = sum(found["paged_runs"] for found in systems.values())
    title = (
        f"{model}: milliseconds of a new token, by tokens before it; the limit is to read the weights once at "
        f"the memory's speed just before, {show_spread(memory[loop])} GB/s ({loop}); {gate['passed']} measurements "
        f"waited {gate['waited_s']:.0f} s for the processor, {gate['gave_up']} of them in vain; "
        f"{paged} runs waited for the disk and are not kept"
    )
    return make_sheet(
        title,
        "system",
        systems,
        *list_lengths("token_ms", systems, 2, "behind "),
        ("of PyTorch", lambda found: show_ratio(find(found, "token_ms", KEY, "median"), reference, ".3f")),
        ("limit", lambda found: show_median(found, "limit_ms", ".2f")),
        ("reached", lambda found: show_median(found, "limit_share", ".0%")),
        ("same tokens", lambda found: "{}/{}".format(*found["tokens_as_pytorch"])),
    )


def show_median(found: Results, kind: str, form: str) -> str:
    value = find(found, kind, KEY, "median")
    return f"{value:{form}}" if value else "-"


def tabulate_lengths(title: str, kind: str, systems: Results, digits: int) -> Sheet:
    return make_sheet(title, "system", systems, *list_lengths(kind, systems, digits))


def list_lengths(kind: str, systems: Results, digits: int, before: str = "") -> list[Column]:
    """Return a column for each length that any system was measured at."""

    def make_column(length: str) -> Column:
        return f"{before}{length}", lambda found: show_spread(found[kind].get(length), digits)

    return [make_column(each) for each in sorted({each for found in systems.values() for each in found[kind]}, key=int)]


def tabulate_truth(model: str, systems: Results) -> Sheet:
    return make_sheet(
        f"{model}: held against PyTorch float32 on held-out text, in the same run",
        "system",
        systems,
        ("MB", lambda found: show_megabytes(found["bytes"], 2)),
        ("of weights", lambda found: show_megabytes(found["read_bytes"], 2)),
        ("perplexity", lambda found: f"{found['fidelity']['perplexity']:.3f}"),
        ("beside PyTorch [95 %]", lambda found: show_interval(found["fidelity"], "perplexity_increase", "+.3%")),
        ("KL [95 %]", lambda found: show_interval(found["fidelity"], "kl_mean", ".2e")),
        ("KL 99 %", lambda found: f"{found['fidelity']['kl_p99']:.1e}"),
        ("top-1", lambda found: f"{found['fidelity']['top1_agreement']:.2%}"),
    )


def show_interval(fidelity: Results, name: str, form: str) -> str:
    return f"{fidelity[name]:{form}}{format_interval(fidelity['intervals'][name], form)}"


def tabulate_fidelity(fidelity: Results) -> Sheet:
    first = next(iter(fidelity.values()))

    def make_column(name: str) -> Column:
        return name.replace("_", " "), lambda found: show_worst(found["properties"][name])

    return make_sheet(
        f"nano as its builds verify it, on {first['tokens']} tokens in windows of {first['window']}",
        "variant",
        fidelity,
        ("MB", lambda found: show_megabytes(found["bytes"])),
        ("perplexity", lambda found: f"{found['perplexity_increase']:+.3%}"),
        ("KL", lambda found: f"{found['kl_mean']:.2e}"),
        *(make_column(name) for name in first["properties"]),
    )


def show_worst(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def tabulate_goals(goals: list[Results]) -> Sheet:
    rows = [
        (
            *(goal["what"], f"{goal['value']:.4f} {goal['unit']}"),
            f"at {'least' if goal['at_least'] else 'most'} {goal['goal']:g}",
            "yes" if goal["reached"] else "NO",
            explain(goal),
        )
        for goal in goals
    ]
    return Sheet("Goals", ("number", "measured", "goal", "reached", "why not"), rows)


def tabulate_times(title: str, columns: tuple[str, str], times: Results, whole: float, form: str) -> Sheet:
    """Return a row for each command, with its time as a part of `whole`."""
    return make_sheet(
        title,
        columns[0],
        times,
        (columns[1], lambda spread: show_spread(spread)),
        ("ratio", lambda spread: f"{spread['median'] / whole:{form}}"),
    )


def tabulate_scale(what: str, systems: Results) -> Sheet:
    """Return a row for each command; the last column says how it grows from the least number to the largest."""

    def show_growth(found: Results) -> str:
        medians = [spread["median"] for spread in found["ms"].values()]
        return f"{medians[-1] / medians[0]:.2f}"

    columns = list_lengths("ms", systems, 0)
    return make_sheet(
        f"Milliseconds by the number of {what}, whole process, in turns",
        "command",
        systems,
        *columns,
        ("growth", show_growth),
    )


def tabulate_remote(model: str, found: Results) -> Sheet:
    """Return a row for each build; its ratio is to a copy of the package's files."""
    copy = found["copying the package's files"]["seconds"]["median"]
    return make_sheet(
        f"{model} int8, with a remote level: whole process",
        "",
        found,
        ("s", lambda each: show_spread(each["seconds"], 2)),
        ("ratio to a copy", lambda each: show_ratio(each["seconds"]["median"], copy, ".1f")),
        ("MB in the store", lambda each: show_megabytes(each["store_bytes"])),
        ("HTTP requests", lambda each: str(each["requests"])),
        ("MB sent", lambda each: show_megabytes(each["sent_bytes"])),
    )


def tabulate_rewrites(rewrites: Results) -> Iterator[Sheet]:
    """Yield a table for each recipe; its ratios are to its first row."""
    heads = ("a token behind 64", "behind 1000", "a prompt of 64", "of 1000")
    for base, peers in rewrites["variants"].items():
        systems, whole = peers["systems"], f"ours, {base}"
        rows = []
        for name, found in systems.items():
            cells = [name.removeprefix(f"{whole}, ") if name != whole else "as it is built"]
            for kind in ("token_ms", "prefill_ms"):
                for length in (KEY, LONG):
                    taken, built = (find(systems, each, kind, length, "median") for each in (name, whole))
                    cells += [show_spread(found.get(kind, {}).get(length)), show_ratio(taken, built, ".2f")]
            rows.append(cells)
        columns = ["", *(word for head in heads for word in (head, "ratio"))]
        yield Sheet(f"774m, {base}: milliseconds, with a part of the graph in another form", columns, rows)
        yield from tabulate_failures(f"774m, {base}", peers)


def tabulate_kernels(kernels: Results) -> Iterator[Sheet]:
    """Yield a table of each group of products."""
    memory = kernels["memory_gb_s"]
    speed = show_spread(memory[find_loop(memory)])
    for what, found in kernels["products"].items():
        lengths = list(next(iter(found["forms"].values()))["ms"])
        rows = []
        for name, form in found["forms"].items():
            cells = [name, show_megabytes(form["bytes"], 2)]
            for length, spread in form["ms"].items():
                rate = int(length) * found["weights"] / spread["median"] / 1e6
                read = form["bytes"] / spread["median"] / 1e6
                cells += [show_spread(spread, 2), f"{read:.1f}" if length == "1" else f"{rate:.0f}"]
            rows.append(cells)
        heads = [(f"{length} rows, ms", "10^9 products/s") for length in lengths if length != "1"]
        columns = ["weights as", "MB", "1 row, ms", "GB/s", *(word for head in heads for word in head)]
        weights = f"{found['weights'] / 1e6:.1f} million weights"
        yield Sheet(f"{what} of 774m alone, {weights}; memory at {speed} GB/s", columns, rows)


def tabulate_options(options: Results) -> Sheet:
    """Return a row for each option; ratios are to the first row, our sessions."""
    forms = options["forms"]
    names = list(next(iter(forms.values())))
    rows = []
    for name in names:
        cells = [name]
        for found in forms.values():
            for count, spread in found[name].items():
                usual = found[names[0]][count]["median"]
                cells += [show_spread(spread, 2), show_ratio(spread["median"], usual, ".2f")]
        rows.append(cells)
    heads = [
        word
        for form, found in forms.items()
        for count in found[names[0]]
        for word in (f"{form}, {count} row{'s' * (count != '1')}, ms", "ratio")
    ]
    title = f"774m's products of a layer, in sessions of other options; {show_load(options)}"
    return Sheet(title, ["", *heads], rows)
