"""Writes docs/benchmarks.md and its plots from the results alone, which are kept beside them; prints the results."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.goals import add_goals
from bench.page import describe_origin
from bench.plots import draw_plots, name_plots
from bench.tables import Parts, tabulate, tabulate_graph, tabulate_readme
from bench.text_tables import tabulate_texts

DOCS = Path(__file__).resolve().parent.parent / "docs"
TUNED = "tuned-"  # begins the names of the pictures that `bench.tuning_page` draws beside these
PAGE, RESULTS, PLOTS = "benchmarks.md", "benchmarks/results.json", "benchmarks"
BUSY = 0.8  # load average above which the page warns

HEAD = """\
# Benchmarks

Written by `make bench` from [what it measured](benchmarks/results.json), every figure of it: edit `bench/document.py`,
not this page. What a table has stands side by side in one run: each system in a process of its own and every peer but
PyTorch in an environment of its own, those that memory holds at once taking turns; a number is the median of its
rounds, with the least and the largest of them. A shared processor may be half as fast for a while: a measurement waits
some seconds at most, until a matrix product on all threads takes no more than 1.2 times the least that it took. `make
bench-full` measures the other sizes too. A part that was measured apart from the run below says when and on what
machine, and what is quoted elsewhere may come from other runs: hold ratios against ratios.

The weights of nano are trained, those of the other models come from a seed in the published shape: they cost the same
time, and say nothing of fidelity. Optimum's int8 is its dynamic quantization with a scale per channel and one for all
activations, which is the form of 2020's article; llama.cpp's files are written in the types that its own program
chooses, which for rows that no super-block of 256 divides (nano's) are larger ones, and its sources are built on this
machine; its keys and values are float16, OpenVINO's uint8, all others' float32. OpenVINO computes in bfloat16 where the
processor can, and its weights are compressed by nncf. transformers' exporter writes two float32 graphs with the weights
in each, and is measured on 124M; it and Optimum compute the logits of every position of a prompt, all others those of
the last. PyTorch's int8 is its dynamic quantization of linear layers; that, its bfloat16, Optimum's float32, the
exporter and, of the large models, llama.cpp's Q4_K_M lead in no column, and are measured by `make bench-full` alone.
Times of ours are those of onnxruntime with its feeds, as of all others: choosing a token is the argmax everywhere. The
limit takes all weights that a system's files hold (Optimum's hold the table of tokens twice, and read a row of one of
them) and the speed of memory right before each run. Builds of ours begin at the TensorFlow checkpoint, those of others
at a folder of transformers, which somebody has to make first.
"""

GRAPH = """\
`python -m bench --only rewrites --only kernels --write-docs` measures this: hold a row against its own table alone. A
part of the graph in another form is 774M built with one key of `fusion:` turned the other way, or with all of them off.
Products alone are matrices of random integers in ONNX Runtime's operators, each with what quantizes its rows, more of
them than a cache holds; milliseconds are of one group. `10^9 products/s` are products of an activation with a weight.
`One scale for all rows` is what Optimum's dynamic quantization has.

`python -m bench --only ceiling --write-docs` measures what kernels could do in place of the operators: the four
products of 774M's layers, one after the other, all 36 layers with one row and six of them with 64 rows. Beside ONNX
Runtime stands [a C program](../bench/ceiling/kernels.c) that reads weights of as many bytes. It describes its layouts
and what each kernel does; its products are those of NumPy. `--only options` measures the products in sessions whose
options differ from ours in one thing.
"""

TEXTS = """\
`python -m bench --only texts --write-docs` measures this: text goes in and text comes out, with each system's own
tokenizer and loop, and the likeliest token every time. Prompts have 64 characters, and 24 tokens follow each. Each
system is opened in two processes, and the numbers are those of the second one: the first has read the files, and what
both map counts for neither. Importing libraries is not counted. llama.cpp's library computes a token of all texts in
one call; its server does the same for its slots, behind HTTP on loopback: `llama-server`, compiled as the library is,
gets a request for each text, all at once. The memory that it adds is all of its process. A drawn token may differ from
the one without guesses, as its random numbers are other ones; the distribution is the same.
"""


def write_document(results: Mapping[str, Any], docs: Path = DOCS) -> None:
    """Write results.json, the plots and the page. Needs matplotlib."""
    (docs / PLOTS).mkdir(parents=True, exist_ok=True)
    (docs / RESULTS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    drawn = draw_plots(results)
    for path in (docs / PLOTS).glob("*.svg"):
        if path.stem not in drawn and not path.stem.startswith(TUNED):  # of a model that these results do not have
            path.unlink()
    for name, drawing in drawn.items():
        (docs / PLOTS / f"{name}.svg").write_text(drawing, encoding="utf-8")
    (docs / PAGE).write_text(compose_page(results), encoding="utf-8")


def compose_page(results: Mapping[str, Any]) -> str:
    """Return the page: machine, command, plots, then the tables."""
    seconds = {part: taken for part, taken in results["seconds"].items() if not describe_origin(results, part)}
    took = ", ".join(f"{part} {value / 60:.1f}" for part, value in seconds.items())
    texts = list(write_parts(results, tabulate_texts(results)))
    graph = list(write_parts(results, tabulate_graph(results)))
    *numbers, goals = tabulate(results)
    parts = [
        HEAD,
        "## The machine\n",
        "\n".join(describe_machine(results["host"])) + "\n",
        f"Measured on {results['date']} by\n\n    {results['command']}\n",
        f"in {sum(seconds.values()) / 60:.0f} minutes ({took}).\n",
        *(f"![{caption}]({PLOTS}/{name}.svg)\n\n{caption}.\n" for name, caption in name_plots(results).items()),
        "## The numbers\n",
        *write_parts(results, numbers),
        "## Goals\n",
        *write_parts(results, [goals]),
        *(["## Whole texts\n", TEXTS, *texts] if texts else []),
        *(["## What the graph is made of\n", GRAPH, *graph] if graph else []),
    ]
    return "\n".join(parts)


def write_parts(results: Mapping[str, Any], parts: Parts) -> Iterator[str]:
    """Yield the tables of each part, and before those of a part of another run, its date and machine."""
    for part, sheets in parts:
        if origin := describe_origin(results, part):
            yield f"{origin}\n"
        yield from (sheet.to_markdown() for sheet in sheets)


def describe_machine(host: Mapping[str, Any]) -> list[str]:
    """Return the machine and the versions, in sentences."""
    versions = ", ".join(f"{tool} {number}" for tool, number in host["versions"].items())
    memory = f"{host['memory_bytes'] / 1e9:.0f} GB of memory"
    lines = [f"{host['processor']}, {host['threads']} threads, {memory}; {host['system']}.", f"{versions}."]
    if host["load_before"] > BUSY:
        lines.append(f"The machine was busy when this began (load {host['load_before']:.1f}): its times are doubtful.")
    return lines


def compose_readme(results: Mapping[str, Any]) -> str:
    """Return the README's tables of the parts that were measured."""
    return "\n".join(sheet.to_readme() for sheet in tabulate_readme(results))


def print_results(console: Console, results: Mapping[str, Any]) -> None:
    """Print the machine, and the parts that were measured."""
    for line in describe_machine(results["host"]):
        console.print(line, highlight=False)
    for _, sheets in (*tabulate(results), *tabulate_texts(results), *tabulate_graph(results)):
        for sheet in sheets:
            console.print(sheet.to_rich())


def read_results(docs: Path = DOCS) -> dict[str, Any]:
    """Return the results that the page was made of, compared with today's goals."""
    return add_goals(json.loads((docs / RESULTS).read_text(encoding="utf-8")))
