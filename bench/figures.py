"""Measured figures that the README and docs/ quote, and the function that writes them into the pages.

A page names a figure in a comment right behind it, `75<!--idle.doit--> ms`, and encloses a table or a sentence in
`<!-- measured: speed -->` and `<!-- end -->`. The words around a figure are free.

`make docs` writes the figures of docs/benchmarks/results.json into the pages, and prints what changed.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.ceiling.tables import tabulate_gains, tabulate_within_reach
from bench.document import DOCS, compose_readme, read_results
from bench.goals import (
    BATCH,
    BEST,
    BLOCKS,
    CACHED,
    CHANNEL,
    CTRANSLATE2,
    DOUBLE,
    FITTED_DOUBLE,
    FITTED_INT4,
    FITTED_SMALL,
    INT4,
    LONG,
    OPENVINO_INT4,
    OPENVINO_INT8,
    OPTIMUM,
    PYTORCH,
    Q4,
    Q8,
    SMALL_INT4,
    find,
    find_loop,
)
from bench.page import PEERS, name_origin
from bench.plan import EXAMPLE, SHIPPED, SHORT

Results = Mapping[str, Any]
Named = Iterator[tuple[str, str]]
"""The name of a figure, and the figure as a page shows it."""

PAGES = (
    DOCS.parent / "README.md",
    *(DOCS / f"{name}.md" for name in ("builds", "choosing", "kernels", "performance", "recipes")),
)
FIGURE = re.compile(r"(?P<shown>[\d.]+)<!--(?P<name>[\w.-]+)-->")
TABLE = re.compile(r"<!-- measured: (?P<name>\w+) -->\n\n(?P<shown>.*?)\n\n<!-- end -->", re.DOTALL)

PAIRS = {
    "q8": (BLOCKS, Q8),
    "q8-channel": (CHANNEL, Q8),
    "q8-double": (DOUBLE, Q8),
    "q4-128": (SMALL_INT4, Q4),
    "ov8": (CHANNEL, OPENVINO_INT8),
    "ov8-double": (DOUBLE, OPENVINO_INT8),
    "double-blocks": (DOUBLE, BLOCKS),
    "double-channel": (DOUBLE, CHANNEL),
    "ov4": (SMALL_INT4, OPENVINO_INT4),
    "cached": (CACHED, BLOCKS),
}
"""Systems whose ratios a page quotes, ours first."""

RATIOS = {
    "token": ("token_ms", str(SHORT)),
    "short": ("prefill_ms", str(SHORT)),
    "long": ("prefill_ms", LONG),
    "past": ("token_ms", LONG),
    "batch": ("tokens_s", BATCH),
}

MLP, HEAD = "both matrices of an MLP", "the LM head"
FORMS = {"blocks": "int8 blocks of 128", "channel": "int8 per channel"}
EXACT = "int8 blocks of 128, float activations"


def list_figures(results: Results) -> dict[str, str]:
    """Return every figure that a page may quote, by its name."""
    large = results["peers"][SHIPPED]
    return {
        **dict(name_builds(results)),
        **dict(name_memory("memory", large)),
        **dict(name_systems(large["systems"], results["peers"][EXAMPLE]["systems"])),
        **dict(name_choice(large["systems"], results["peers"][EXAMPLE]["systems"])),
        **dict(name_peers(large["systems"])),
        **dict(name_products(results["kernels"])),
        **dict(name_rewrites(results["rewrites"])),
    }


def list_tables(results: Results) -> dict[str, str]:
    """Return every table that a page may enclose, by its name."""
    speed, fidelity = compose_readme(results).strip().split("\n\n")
    return {
        "machine": describe_run(results),
        "speed": speed,
        "fidelity": fidelity,
        "gains": tabulate_gains(results["ceiling"]).to_readme().strip(),
        "within_reach": tabulate_within_reach(results).to_readme().strip(),
    }


def describe_run(results: Results) -> str:
    """Return a sentence on the run that measured the peers of the shipped model."""
    origin = results["origins"].get(PEERS.format(SHIPPED), name_origin(results))
    return "Measured on {date} on {processor}.".format(**origin)


def name_builds(results: Results) -> Named:
    """Yield what builds take: with nothing to do, of several variants, from an empty store, fitted to a text."""
    for command, name in (("gpt2forge build", "build"), *((other, other) for other in ("doit", "dvc", "snakemake"))):
        yield f"idle.{name}", f"{results['idle'][command]['median']:.0f}"
    for command, name in (("one command", "together"), ("one command each", "apart")):
        yield f"variants.{name}", f"{results['variants'][command]['median']:.1f}"
    cold = results["builds"][f"{SHIPPED}-cpu-int8"]
    yield "cold.seconds", f"{cold['seconds']['median']:.0f}"
    yield "cold.memory", f"{cold['peak_memory_bytes'] / 1e7:.0f}0"  # MB
    (fitted,) = results["fitting"].values()
    for step in ("calibrate", "quantize"):
        yield f"fitting.{step}", f"{fitted['steps'][step] / 60:.1f}"  # minutes
    yield "fitting.memory", f"{fitted['peak_memory_bytes'] / 1e9:.2f}"  # GB


def name_memory(prefix: str, part: Results) -> Named:
    """Yield the speed of memory during a part of the run: median, least and largest, in GB/s."""
    loops = part["memory_gb_s"]
    for name, value in loops[find_loop(loops)].items():
        yield f"{prefix}.{name}", f"{value:.0f}"


def name_systems(large: Results, nano: Results) -> Named:
    """Yield the times of systems side by side at 774M, in ms, and ratios between them."""
    for name, system in (("float32", PYTORCH), ("channel", CHANNEL)):
        yield f"limit.{name}", f"{take(large, system, 'limit_ms'):.0f}"
    for name, system in (("blocks", BLOCKS), ("channel", CHANNEL), ("openvino", OPENVINO_INT8), ("optimum", OPTIMUM)):
        yield f"prompt.{name}", f"{take(large, system, 'prefill_ms'):.0f}"
    tokens = {"pytorch": PYTORCH, "ctranslate2": CTRANSLATE2, "q8": Q8, "blocks": BLOCKS, "channel": CHANNEL}
    for name, system in tokens.items():
        yield f"token.{name}", f"{take(large, system, 'token_ms'):.0f}"
    for name, system in (("int4", INT4), ("int4-128", SMALL_INT4)):
        yield f"q4.{name}", f"{take(large, system, 'token_ms') / take(large, Q4, 'token_ms'):.2f}"
    for name, system in (("blocks", BLOCKS), ("channel", CHANNEL)):
        yield f"share.{name}", f"{take(large, system, 'limit_share'):.0%}".rstrip("%")
    fitted, plain = (nano[system]["fidelity"]["kl_mean"] for system in (FITTED_INT4, INT4))
    yield "kl.fitted", f"{fitted / plain:.0%}".rstrip("%")


def name_choice(large: Results, nano: Results) -> Named:
    """Yield what decides between recipes: megabytes and speed beside PyTorch at 774M, divergence on the example."""
    shipped = {"blocks": BLOCKS, "channel": CHANNEL, "double": DOUBLE, "small": SMALL_INT4}
    for name, system in shipped.items():
        yield f"mb.{name}", f"{large[system]['bytes'] / 1e6:.0f}"
        yield f"speed.{name}", f"{take(large, PYTORCH, 'token_ms') / take(large, system, 'token_ms'):.1f}"
    for name, system in {**shipped, "double": FITTED_DOUBLE, "small": FITTED_SMALL, "best": BEST}.items():
        yield f"kl.{name}", f"{nano[system]['fidelity']['kl_mean']:.4f}"


def name_peers(large: Results) -> Named:
    """Yield the ratios of RATIOS between the systems of PAIRS at 774M."""
    for pair, (ours, other) in PAIRS.items():
        for name, keys in RATIOS.items():
            times = [find(large, system, *keys, "median") for system in (ours, other)]
            if times[0] and times[1]:
                yield f"{pair}.{name}", f"{times[0] / times[1]:.2f}"


def take(systems: Results, name: str, kind: str) -> float:
    """Return the median for a short prompt, or for a token behind one."""
    value = find(systems, name, kind, str(SHORT), "median")
    if value is None:
        raise KeyError(f"{name}: no `{kind}` was measured")
    return value


def name_products(kernels: Results) -> Named:
    """Yield what matrix products alone take at 774M: their rates in 10^9 products a second, milliseconds, ratios."""
    products = kernels["products"]
    for bits, block in (*(("int8", size) for size in (32, 64, 128, 256)), *(("int4", size) for size in (32, 64, 128))):
        yield f"rate.{bits}-{block}", rate(products, f"{bits} blocks of {block}")
    yield "rate.channel", rate(products, FORMS["channel"])
    for name, rows in (("token", 1), ("prompt", SHORT)):
        slower = take_alone(products, MLP, EXACT, rows) / take_alone(products, MLP, FORMS["blocks"], rows)
        yield f"exact.{name}", f"{slower:.0f}"
        for form, words in FORMS.items():
            yield f"head.{name}-{form}", f"{take_alone(products, HEAD, words, rows):.2f}"
            three, one = (
                take_alone(products, f"queries, keys and values in {count}", words, rows)
                for count in ("three products", "one product")
            )
            yield f"qkv.{name}-{form}", f"{three / one:.2f}"
    for form, words in FORMS.items():
        read = products[MLP]["forms"][words]["bytes"] / take_alone(products, MLP, words, 1) / 1e6
        yield f"read.{form}", f"{read:.1f}"  # GB/s
    loops = kernels["memory_gb_s"]
    for name, value in loops[find_loop(loops)].items():
        yield f"kernels-memory.{name}", f"{value:.1f}"


def rate(products: Results, form: str) -> str:
    return f"{SHORT * products[MLP]['weights'] / take_alone(products, MLP, form, SHORT) / 1e6:.0f}"


def take_alone(products: Results, what: str, form: str, rows: int) -> float:
    """Return the milliseconds of a group of products."""
    return float(products[what]["forms"][form]["ms"][str(rows)]["median"])


def name_rewrites(rewrites: Results) -> Named:
    """Yield the time of a token behind a long text without fused attention, as a ratio to that of the shipped form."""
    for form, words in FORMS.items():
        systems = rewrites["variants"][words]["systems"]
        plain, fused = (
            find(systems, f"ours, {words}{what}", "token_ms", LONG, "median")
            for what in (", attention in standard operators", "")
        )
        if plain and fused:
            yield f"attention.{form}", f"{plain / fused:.2f}"


def fill_page(text: str, results: Results) -> str:
    """Return the page with every figure and table that it names as the results have it.

    Raises KeyError for a name that there is not.
    """
    figures, tables = list_figures(results), list_tables(results)
    text = FIGURE.sub(lambda match: f"{figures[match['name']]}<!--{match['name']}-->", text)
    return TABLE.sub(lambda match: match[0].replace(match["shown"], tables[match["name"]]), text)


def list_names(text: str) -> list[str]:
    """Return the names of the figures and tables that a page quotes."""
    return [match["name"] for pattern in (FIGURE, TABLE) for match in pattern.finditer(text)]


def write_pages(results: Results, pages: tuple[Path, ...] = PAGES) -> Iterator[str]:
    """Write the figures into the pages; yield a line for each that changed: its sentence may need another word."""
    for page in pages:
        old = page.read_text(encoding="utf-8")
        new = fill_page(old, results)
        page.write_text(new, encoding="utf-8")
        for before, after in zip(FIGURE.finditer(old), FIGURE.finditer(new), strict=True):
            if before["shown"] != after["shown"]:
                yield f"{page.name}: {after['name']} {before['shown']} -> {after['shown']}"


if __name__ == "__main__":
    print("\n".join(write_pages(read_results())) or "no figure changed")
