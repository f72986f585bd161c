"""Figures that pages quote are those of docs/benchmarks/results.json."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bench.document import compose_readme, read_results
from bench.goals import (
    BLOCKS,
    CHANNEL,
    CTRANSLATE2,
    FITTED_INT4,
    INT4,
    LONG,
    OPTIMUM,
    PYTORCH,
    Q4,
    Q8,
    SMALL_INT4,
    find,
    find_loop,
)
from bench.plan import EXAMPLE, SHIPPED, SHORT
from bench.tables import show_interval, tabulate
from tests.workshop import ROOT

RESULTS = read_results()
README = (ROOT / "README.md").read_text()
RECIPES = (ROOT / "docs/recipes.md").read_text()
PERFORMANCE = (ROOT / "docs/performance.md").read_text()
LARGE, NANO = (RESULTS["peers"][model]["systems"] for model in (SHIPPED, EXAMPLE))
DYNAMIC = "PyTorch dynamic int8"
MLP, FORMS = "both matrices of an MLP", ("int8 blocks of 128", "int8 per channel")
EXACT = "int8 blocks of 128, float activations"


def take(systems: Any, name: str, kind: str) -> float:
    """The median of a short prompt, or behind one."""
    value = find(systems, name, kind, str(SHORT), "median")
    assert value
    return value


def find_memory(part: Any) -> Any:
    """The spread of the memory's speed."""
    memory = part["memory_gb_s"]
    return memory[find_loop(memory)]


@pytest.mark.parametrize("line", compose_readme(RESULTS).splitlines())
def test_tables_of_the_readme_are_measured(line: str) -> None:
    assert line in README.splitlines()


def quote_readme() -> Iterator[str]:
    idle, variants, build = RESULTS["idle"], RESULTS["variants"], RESULTS["builds"][f"{SHIPPED}-cpu-int8"]
    memory = find_memory(RESULTS["peers"][SHIPPED])
    yield f"takes {idle['gpt2forge build']['median']:.0f} ms, a comparison of the stat"
    others = [f"{idle[name]['median']:.0f}" for name in ("doit", "dvc", "snakemake")]
    yield "(doit takes {}, dvc {}, snakemake {} for".format(*others)
    one, each = (variants[name]["median"] for name in ("one command", "one command each"))
    yield f"take {one:.1f} s, {each:.1f} s in a command each"
    yield f"takes about {build['seconds']['median']:.0f} s and {build['peak_memory_bytes'] / 1e7:.0f}0 MB"
    yield f"{memory['median']:.0f} GB/s most of the time ({memory['least']:.0f} to {memory['largest']:.0f}, as"
    floats, channel = (take(LARGE, name, "limit_ms") for name in (PYTORCH, CHANNEL))
    yield f"took {floats:.0f} ms in float32, and {channel:.0f} ms in int8 per channel"
    blocks, dynamic, optimum = (take(LARGE, name, "prefill_ms") for name in (BLOCKS, DYNAMIC, OPTIMUM))
    yield f"takes {blocks:.0f} ms in blocks, PyTorch's own dynamic int8 {dynamic:.0f} and Optimum's {optimum:.0f} ("
    wide, small, other = (take(LARGE, name, "token_ms") for name in (INT4, SMALL_INT4, Q4))
    yield f"takes {wide / other:.2f} of llama.cpp's Q4_0, in blocks of 128, which are smaller than that, {small / other:.2f}"
    fitted, plain = (NANO[name]["fidelity"]["kl_mean"] for name in (FITTED_INT4, INT4))
    yield f"leaves {fitted / plain:.0%}".replace("%", " %") + " of the divergence on nano"
    told = RESULTS["fidelity"]["int8 blocks of 128"]
    increase, divergence, same = (
        show_interval(told, *how)
        for how in (("perplexity_increase", "+.3%"), ("kl_mean", ".2e"), ("top1_agreement", ".2%"))
    )
    yield f"perplexity {told['perplexity']:.2f}, PyTorch float32 {told['perplexity_reference']:.2f}: {increase}"
    yield f"divergence KL {divergence}, 99 % below {told['kl_p99']:.2e}"
    yield f"same token {same} of {told['positions']} positions, windows of {told['window']}"


@pytest.mark.parametrize("words", [*quote_readme()])
def test_sentences_of_the_readme_are_measured(words: str) -> None:
    assert words in " ".join(README.split())


def test_what_fitting_takes_is_measured() -> None:
    (build,) = RESULTS["fitting"].values()
    minutes = [f"{build['steps'][step] / 60:.1f}" for step in ("calibrate", "quantize")]
    words = "774M took {} minutes for `calibrate` with 16,384 tokens and {} for `quantize`, within".format(*minutes)
    assert f"{words} {build['peak_memory_bytes'] / 1e9:.2f} GB of memory" in " ".join(RECIPES.split())


def take_alone(what: str, form: str, rows: int) -> float:
    """Milliseconds of a group of products."""
    return float(RESULTS["kernels"]["products"][what]["forms"][form]["ms"][str(rows)]["median"])


def list_rates(*forms: str) -> list[str]:
    """Thousand million products a second, of 64 rows."""
    weights = RESULTS["kernels"]["products"][MLP]["weights"]
    return [f"{SHORT * weights / take_alone(MLP, form, SHORT) / 1e6:.0f}" for form in forms]


def quote_performance() -> Iterator[str]:
    memory = find_memory(RESULTS["peers"][SHIPPED])
    tokens = [f"{take(LARGE, name, 'token_ms'):.0f}" for name in (PYTORCH, CTRANSLATE2, Q8, BLOCKS, CHANNEL)]
    shares = [f"{take(LARGE, name, 'limit_share'):.0%}".replace("%", " %") for name in (BLOCKS, CHANNEL)]
    rates = list_rates(*(f"int8 blocks of {size}" for size in (32, 64, 128, 256)), "int8 per channel")
    yield "MatMulNBits does {}, {}, {} and {} thousand million products".format(*rates[:4])
    yield f"where MatMulIntegerToFloat does {rates[4]}, as"
    yield "first: {} (blocks of 32), {}, {} (of 128)".format(
        *list_rates(*(f"int4 blocks of {n}" for n in (32, 64, 128)))
    )
    slower = [take_alone(MLP, EXACT, rows) / take_alone(MLP, FORMS[0], rows) for rows in (1, SHORT)]
    yield "products of a token take {:.0f} times as long, of 64 tokens {:.0f}".format(*slower)
    head = [take_alone("the LM head", form, 1) for form in FORMS]
    yield f"takes {head[1]:.2f} ms, in blocks of 128 {head[0]:.2f};"
    many = take_alone("the LM head", FORMS[0], SHORT)
    yield f"takes {many:.2f} ms in blocks, of one {head[0]:.2f} |"
    apart, packed = (
        [take_alone(f"queries, keys and values in {count}", form, rows) for rows in (1, SHORT) for form in FORMS]
        for count in ("three products", "one product")
    )
    ratios = [f"{three / one:.2f}" for three, one in zip(apart, packed, strict=True)]
    yield "take {} of the time (blocks) and {} (per channel), of 64 tokens {} and {} |".format(*ratios)
    read = [
        RESULTS["kernels"]["products"][MLP]["forms"][form]["bytes"] / take_alone(MLP, form, 1) / 1e6 for form in FORMS
    ]
    speed = find_memory(RESULTS["kernels"])["median"]
    yield f"at {read[0]:.1f} GB/s where memory gave {speed:.1f} ("
    yield f"the product itself reads at {read[1]:.1f}."
    without = [
        find(found["systems"], f"ours, {name}{what}", "token_ms", LONG, "median")
        for name, found in RESULTS["rewrites"]["variants"].items()
        for what in (", attention in standard operators", "")
    ]
    yield f"without it {without[0] / without[1]:.2f} of the time (blocks), {without[2] / without[3]:.2f} (per channel);"
    yield f"| an EPYC | {memory['median']:.0f} | {' | '.join(tokens)} | {', '.join(shares)} |"


def test_goals_that_are_not_reached_are_all_listed() -> None:
    section = PERFORMANCE.partition("\n## Goals that are not reached\n")[2].partition("\n## ")[0]
    listed = [line.rpartition(" | ")[0] for line in section.splitlines() if re.match(r"\| (?!what|---)", line)]
    *_, (_, [goals]) = tabulate(RESULTS)
    assert listed == [f"| {' | '.join(row[:3])}" for row in goals.rows if row[3] == "NO"]


@pytest.mark.parametrize("words", [*quote_performance()])
def test_figures_of_the_notes_are_measured(words: str) -> None:
    assert words in " ".join(PERFORMANCE.split())
