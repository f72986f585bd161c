"""The plots of docs/benchmarks.md, as SVG that is the same for the same results."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.goals import find
from bench.plan import SHORT

STYLE = {"svg.hashsalt": "gpt2forge", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
OURS, OTHERS, LIMIT = "#0b6e4f", "#8896a5", "#d98324"
EQUAL = 1e-6  # nats: below, float32 beside float32
COLORS = matplotlib.colormaps["tab20"].colors
Peers = Mapping[str, Any]
CAPTIONS = {
    "tokens": "A new token behind 64, and beside each bar what it takes to read its weights once",
    "prefill": "Prompts by their length",
    "pasts": "A new token by the tokens before it",
    "fidelity": "Divergence from PyTorch float32 by the bytes of the weights",
}


def name_plots(results: Mapping[str, Any]) -> dict[str, str]:
    """The plots that the results have the numbers for, by name, with what each shows."""
    plots = {}
    for model, peers in results.get("peers", {}).items():
        systems = peers["systems"].values()
        lacking = set() if any(found.get("fidelity") for found in systems) else {"fidelity"}
        if all(len(found.get("token_ms", {})) < 2 for found in systems):
            lacking.add("pasts")
        plots |= {f"{kind}-{model}": f"{caption}, {model}" for kind, caption in CAPTIONS.items() if kind not in lacking}
    return plots


def draw_plots(results: Mapping[str, Any]) -> dict[str, str]:
    """Every plot that the page shows, by its name."""
    drawn = {}
    for name in name_plots(results):
        kind, _, model = name.partition("-")
        drawn[name] = draw(DRAWERS[kind], results["peers"][model])
    return drawn


def draw(drawer: Callable[[Axes, Peers], None], peers: Peers) -> str:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 5), layout="constrained")
        drawer(figure.subplots(), peers)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def find_color(name: str) -> str:
    return OURS if name.startswith("ours") else OTHERS


def draw_tokens(axes: Axes, peers: Peers) -> None:
    """Bars of a token's milliseconds with their spread, and the memory's limit beside each."""
    spreads = {name: find(peers["systems"], name, "token_ms", str(SHORT)) for name in peers["systems"]}
    names = [name for name, spread in spreads.items() if spread]
    places = range(len(names))
    medians = [spreads[name]["median"] for name in names]
    around = [
        [spreads[name]["median"] - spreads[name]["least"] for name in names],
        [spreads[name]["largest"] - spreads[name]["median"] for name in names],
    ]
    axes.barh([place - 0.2 for place in places], medians, 0.4, xerr=around, color=[find_color(name) for name in names])
    limits = [find(peers["systems"], name, "limit_ms", str(SHORT), "median") for name in names]
    axes.barh([place + 0.2 for place in places], limits, 0.4, color=LIMIT, label="weights read once")
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"ms of a new token behind {SHORT}")
    axes.legend()


def draw_lines(axes: Axes, peers: Peers, kind: str, label: str) -> None:
    """A line for each system over the lengths that it was measured at; ours are whole, others' broken."""
    lengths: set[int] = set()
    for place, (name, found) in enumerate(peers["systems"].items()):
        medians = {int(length): spread["median"] for length, spread in found.get(kind, {}).items()}
        if medians:
            lengths |= medians.keys()
            style, color = "-" if find_color(name) == OURS else "--", COLORS[place % len(COLORS)]
            axes.plot(*zip(*sorted(medians.items()), strict=True), style, marker="o", color=color, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted(lengths), [str(length) for length in sorted(lengths)])
    axes.set_xlabel("tokens")
    axes.set_ylabel(label)
    axes.figure.legend(loc="outside right upper", fontsize=8)


def draw_prefill(axes: Axes, peers: Peers) -> None:
    draw_lines(axes, peers, "prefill_ms", "ms of the prompt")


def draw_pasts(axes: Axes, peers: Peers) -> None:
    draw_lines(axes, peers, "token_ms", "ms of a new token")


def draw_fidelity(axes: Axes, peers: Peers) -> None:
    """KL divergence against bytes, for those that are not float32 themselves."""
    for name, found in peers["systems"].items():
        divergence = find(peers["systems"], name, "fidelity", "kl_mean")
        if divergence and divergence > EQUAL:
            place = (found["read_bytes"] / 1e6, divergence)
            axes.plot(*place, "o", color=find_color(name))
            axes.annotate(name, place, xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_yscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel("MB of weights")
    axes.set_ylabel("KL divergence from PyTorch float32, nats a token")


DRAWERS = {"tokens": draw_tokens, "prefill": draw_prefill, "pasts": draw_pasts, "fidelity": draw_fidelity}
