"""The tables and pictures of docs/tuning.md, from the results in docs/benchmarks.

`tuned-NAME.json` is what `python -m bench.tuned` measured, `ablated-NAME.json` what `gpt2forge ablate --json` writes,
and `claimed-NAME.json` what `gpt2forge claim --json` writes. `python -m bench.tuning_page` writes the page from them.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.document import DOCS
from bench.plots import STYLE
from gpt2forge.cli.comparison_table import format_markdown_rows
from gpt2forge.tune.effect import Difference, Effect
from gpt2forge.tune.effect_words import HEAD, tabulate_effect

PAGE, RESULTS = DOCS / "tuning.md", DOCS / "benchmarks"
PART = re.compile(r"(<!-- (tuned|ablated|claimed): ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TUNED_HEAD = ("than", "bytes", "KL", "tuned: KL in as many bytes", "tuned: bytes at that KL")
CLAIMED_HEAD = ("promise", "number", "measured", "interval", "at most", "")
NOTHING = "-"
ALIKE = 0.95
"""A mix that was tuned for less than this share of a scheme's bytes says nothing about that scheme."""
MARKS = {"fitted": "x", "nearest": "+"}
Results = Mapping[str, Any]


def main() -> None:
    for path in sorted(RESULTS.glob("tuned-*.json")):
        write_picture(path.stem.removeprefix("tuned-"))
    write_page()


def write_page() -> None:
    PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def write_picture(name: str) -> None:
    """Draw the bytes of a model against its divergence."""
    (RESULTS / f"tuned-{name}.svg").write_text(draw(read_results("tuned", name)), encoding="utf-8")


def read_results(kind: str, name: str) -> Results:
    found: Results = json.loads((RESULTS / f"{kind}-{name}.json").read_text(encoding="utf-8"))
    return found


def fill_page(text: str) -> str:
    """Return the page with all its tables written again."""
    return PART.sub(lambda found: f"{found[1]}\n{make_table(found[2], found[3])}\n\n{found[4]}", text)


def make_table(kind: str, name: str) -> str:
    """Return a table in Markdown, or a line that says that there are no results."""
    if not (RESULTS / f"{kind}-{name}.json").exists():
        return "Not measured yet."
    return "\n".join(format_markdown_rows([list(row) for row in TABLES[kind](read_results(kind, name))]))


def tabulate_tuned(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield a row for each scheme. A mix that was tuned against another scheme counts too if it fits."""
    yield TUNED_HEAD
    every = list_mixes(results)
    for name, own in {"recipe": results["recipe"], **results["uniform"]["fitted"]}.items():
        said = f"`{results['selector']}`" if name == "recipe" else f"{name}, fitted"
        least, most = ALIKE * own["bytes"], own["bytes"]
        fitting = [{**mix, "difference": None} for mix in every if least <= mix["bytes"] <= most]
        near = results["tuned"][name].get("bytes") or min(fitting, key=lambda mix: mix["kl"], default=None)
        near_enough = [mix for mix in fitting if mix["kl"] <= own["kl"]]
        small = min(near_enough, key=lambda mix: mix["bytes"], default=None)
        yield (said, f"{own['bytes']:,}", f"{own['kl']:.2e}", show_nearer(near, own), show_smaller(small, own))


def list_mixes(results: Results) -> list[Results]:
    """List all mixes that were tuned."""
    return [mix for pair in results["tuned"].values() for mix in pair.values() if mix]


def show_nearer(mix: Results | None, than: Results) -> str:
    """Return the divergence of a mix, and by how much it is less; `noise` marks a difference that may be none."""
    if mix is None:
        return NOTHING
    change = f"{mix['kl'] / than['kl'] - 1:+.0%}"
    is_noise = mix["difference"] is not None and mix["difference"]["is_noise"]
    return f"{mix['kl']:.2e} ({change}{', noise' if is_noise else ''})"


def show_smaller(mix: Results | None, than: Results) -> str:
    """Return the bytes of a mix, and by how much they are fewer."""
    return NOTHING if mix is None else f"{mix['bytes']:,} ({mix['bytes'] / than['bytes'] - 1:+.1%})"


def tabulate_ablated(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield a row for each choice, as `gpt2forge ablate --markdown` does."""
    yield HEAD
    for values in results["effects"]:
        yield tuple(tabulate_effect(read_effect(values)))


def read_effect(values: Results) -> Effect:
    """Return the effect that JSON values hold."""
    numbers = {
        name: values[name] and Difference(values[name]["value"], tuple(values[name]["interval"]))
        for name in ("size", "token", "prompt", "kl")
    }
    return Effect(values["choice"], **numbers, refusal=values["refusal"])


def tabulate_claimed(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield a row for each number of each promise."""
    yield CLAIMED_HEAD
    for promise in results["promises"]:
        for number in promise["numbers"]:
            form = ".1%" if number["is_share"] else ".1e"
            low, high = number["interval"]
            interval = NOTHING if low == high else f"{low:{form}} to {high:{form}}"
            verdict = "pass" if number["passes"] else "FAIL"
            yield (
                promise["promise"],
                number["name"],
                f"{number['value']:{form}}",
                interval,
                f"{number['limit']:{form}}",
                verdict,
            )


TABLES: Mapping[str, Callable[[Results], Iterator[tuple[str, ...]]]] = {
    "tuned": tabulate_tuned,
    "ablated": tabulate_ablated,
    "claimed": tabulate_claimed,
}


def draw(results: Results) -> str:
    """Return the picture as SVG that is the same for the same results."""
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        draw_points(figure.subplots(), results)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def draw_points(axes: Axes, results: Results) -> None:
    draw_series(axes, list_front(list_mixes(results)), "o-", "tuned")
    for rounding, mark in MARKS.items():
        draw_series(axes, list(results["uniform"][rounding].values()), mark, f"uniform, {rounding}")
    draw_series(axes, [results["recipe"]], "k*", results["selector"])
    axes.set(xlabel="package, MB", ylabel="KL to PyTorch, nats a token", yscale="log")
    axes.legend()


def list_front(points: Sequence[Results]) -> list[Results]:
    """Return the points that no other one surpasses in both bytes and divergence, by their bytes."""
    front: list[Results] = []
    for point in sorted(points, key=lambda point: (point["bytes"], point["kl"])):
        if not front or point["kl"] < front[-1]["kl"]:
            front.append(point)
    return front


def draw_series(axes: Axes, points: Sequence[Results], mark: str, label: str) -> None:
    axes.plot([point["bytes"] / 1e6 for point in points], [point["kl"] for point in points], mark, label=label)


if __name__ == "__main__":
    main()
