"""Draws docs/tuned-nano.svg: the bytes of nano against its divergence, for uniform schemes and for tuned mixes.

The numbers are in docs/tuned-nano.json, a list of {"series", "name", "bytes", "kl"}: all on nano's held-out text, with
positions in float16 and embeddings in int8.
"""

import io
import json
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

PLACE = Path(__file__).parents[1] / "docs/tuned-nano.json"
STYLE: dict[Any, Any] = {"svg.hashsalt": "gpt2forge", "svg.fonttype": "none"}  # the same file for the same numbers
LINES = {"tuned": "o-", "uniform, fitted": "x--", "uniform, nearest": "+:"}


def main() -> None:
    points = json.loads(PLACE.read_text(encoding="utf-8"))
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for series, line in LINES.items():
            found = sorted((point["bytes"] / 1e6, point["kl"]) for point in points if point["series"] == series)
            axes.plot([size for size, _ in found], [kl for _, kl in found], line, label=series)
        axes.set(xlabel="package, MB", ylabel="KL to PyTorch, nats a token", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
    PLACE.with_suffix(".svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
