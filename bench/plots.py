"""The plots of docs/benchmarks.md, as SVG that is the same for the same results."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bench.goals import find
from bench.plan import SHIPPED, SHORT

SVG = {"svg.hashsalt": "gpt2forge", "svg.fonttype": "none"}  # the same file for the same results
STYLE: dict[Any, Any] = {**SVG, "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
OURS, OTHERS, LIMIT = "#0b6e4f", "#8896a5", "#d98324"
EQUAL = 1e-6  # nats: a divergence below is that of float32 from itself
Peers = Mapping[str, Any]
GAP = 0.045  # of the height, between the names of two systems
CAPTIONS = {
    "choice": "Tokens a second by the size of the directory: up and to the left is better",
    "tokens": "A new token behind 64, and beside each bar what it takes to read its weights once",
    "prefill": "Prompts by their length",
    "pasts": "A new token by the tokens before it",
    "fidelity": "Divergence from PyTorch float32 by the bytes of the weights",
}


def name_plots(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the plots that the results have the numbers for, by name, with their captions."""
    plots: dict[str, str] = {}
    for model, peers in results.get("peers", {}).items():
        systems = peers["systems"].values()
        lacking = set() if any(found.get("fidelity") for found in systems) else {"fidelity"}
        if all(len(found.get("token_ms", {})) < 2 for found in systems):
            lacking.add("pasts")
        if model != SHIPPED:
            lacking.add("choice")
        plots |= {f"{kind}-{model}": f"{caption}, {model}" for kind, caption in CAPTIONS.items() if kind not in lacking}
    return plots | {f"scale-{what}": f"Commands by the number of {what}" for what in results.get("scale", {})}


def draw_plots(results: Mapping[str, Any]) -> dict[str, str]:
    """Return every plot of the page by its name."""
    drawn = {}
    for name in name_plots(results):
        kind, _, model = name.partition("-")
        drawn[name] = draw(DRAWERS[kind], results["scale" if kind == "scale" else "peers"][model])
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
    """Draw bars of a token's milliseconds with their spread, and the memory's limit beside each."""
    spreads = {name: found.get("token_ms", {}).get(str(SHORT)) for name, found in peers["systems"].items()}
    names = [name for name, spread in spreads.items() if spread]
    places = range(len(names))
    medians, least, largest = ([spreads[name][kind] for name in names] for kind in ("median", "least", "largest"))
    around = [
        [median - low for median, low in zip(medians, least, strict=True)],
        [high - median for median, high in zip(medians, largest, strict=True)],
    ]
    axes.barh([place - 0.2 for place in places], medians, 0.4, xerr=around, color=[find_color(name) for name in names])
    limits = [peers["systems"][name]["limit_ms"][str(SHORT)]["median"] for name in names]
    axes.barh([place + 0.2 for place in places], limits, 0.4, color=LIMIT, label="weights read once")
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"ms of a new token behind {SHORT}")
    axes.legend()


def draw_choice(axes: Axes, peers: Peers) -> None:
    """Draw the tokens a second of every system against its megabytes, and names in a column beside them."""
    medians = {name: find(peers["systems"], name, "token_ms", str(SHORT), "median") for name in peers["systems"]}
    places = {name: (peers["systems"][name]["bytes"] / 1e6, 1e3 / taken) for name, taken in medians.items() if taken}
    top = 1.1 * max(rate for _, rate in places.values())
    axes.set_xlim(0, 1.1 * max(size for size, _ in places.values()))
    axes.set_ylim(0, top)
    level = top
    for name, (size, rate) in sorted(places.items(), key=lambda each: -each[1][1]):
        level = min(level - GAP * top, rate)
        axes.plot(size, rate, "o", color=find_color(name))
        across, up = axes.transAxes.inverted().transform(axes.transData.transform((size, rate)))
        axes.annotate(
            f"{name}: {size:.0f} MB, {rate:.0f} tokens/s",
            (across, up),
            (1.03, level / top),
            "axes fraction",
            "axes fraction",
            {"arrowstyle": "-", "color": find_color(name), "alpha": 0.4},
            va="center",
            color=find_color(name),
            fontsize=8,
        )
    axes.set_xlabel("MB of the directory")
    axes.set_ylabel(f"tokens a second, behind {SHORT}")


def draw_lines(axes: Axes, peers: Peers, kind: str, label: str, unit: str = "tokens") -> None:
    """Draw a line for each system over the lengths that it was measured at; ours are whole, others' broken."""
    colors = matplotlib.colormaps["tab20"]
    assert isinstance(colors, ListedColormap)
    lengths: set[int] = set()
    for place, (name, found) in enumerate(peers["systems"].items()):
        medians = {int(length): spread["median"] for length, spread in found.get(kind, {}).items()}
        if medians:
            lengths |= medians.keys()
            style, color = "-" if find_color(name) == OURS else "--", colors(place % colors.N)
            axes.plot(*zip(*sorted(medians.items()), strict=True), style, marker="o", color=color, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted(lengths), [str(length) for length in sorted(lengths)])
    axes.set_xlabel(unit)
    axes.set_ylabel(label)
    axes.figure.legend(loc="outside right upper", fontsize=8)


def draw_fidelity(axes: Axes, peers: Peers) -> None:
    """Draw KL divergence against bytes, of the systems that are not float32 themselves."""
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


DRAWERS: dict[str, Callable[[Axes, Peers], None]] = {
    "choice": draw_choice,
    "tokens": draw_tokens,
    "prefill": partial(draw_lines, kind="prefill_ms", label="ms of the prompt"),
    "pasts": partial(draw_lines, kind="token_ms", label="ms of a new token"),
    "fidelity": draw_fidelity,
    "scale": partial(draw_lines, kind="ms", label="ms of the whole process", unit="number"),
}
