"""The error of each stored weight by layer and tensor: a table whose cells are as dark as the error is large."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gpt2forge.cli.page.markup import cell, element, make_table, text

LAYER = re.compile(r"h\.(\d+)\.(.+)\.weight")
TABLE = re.compile(r"(w[tp]e|lm_head)\.weight")
DARKEST = 0.55  # opacity; the number in the cell stays legible in light and dark
COLOUR = "120 140 255"

Errors = Mapping[tuple[str, str], float]
"""The relative error by row (a layer, or a table) and tensor."""


def draw_heat_maps(tensors: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a heat map for each result by its name, all on one scale; empty if no result has an error."""
    errors = {name: read_errors(rows) for name, rows in tensors.items()}
    most = max((error for found in errors.values() for error in found.values()), default=0.0)
    maps = [draw_heat_map(name, found, most) for name, found in errors.items() if any(found.values())]
    return "".join(maps) if most else ""


def read_errors(tensors: Sequence[Mapping[str, Any]]) -> Errors:
    """Return the errors of the matrices and tables of a package."""
    found: dict[tuple[str, str], float] = {}
    for tensor in tensors:
        layer, table = LAYER.fullmatch(tensor["name"]), TABLE.fullmatch(tensor["name"])
        if layer and "ln_" not in layer[2]:
            found[layer[1], layer[2]] = tensor["error"]
        elif table:
            found[table[1], "table"] = tensor["error"]
    return found


def draw_heat_map(name: str, errors: Errors, most: float) -> str:
    """Return the heat map of a result; the largest error of all results is the darkest."""
    rows, columns = (list(dict.fromkeys(key[part] for key in errors)) for part in (0, 1))
    rows.sort(key=lambda row: (row.isdigit(), int(row) if row.isdigit() else 0))
    body = [
        [text(f"layer {row}" if row.isdigit() else row), *(heat(errors.get((row, column)), most) for column in columns)]
        for row in rows
    ]
    table = make_table(f"Relative error of the weights of {name}", ["", *map(text, columns)], body)
    return element("details", element("summary", text(name)), table, open=True)


def heat(error: float | None, most: float) -> str:
    """Return the cell of an error."""
    if error is None:
        return cell("")
    opacity = DARKEST * error / most
    style = f"background: rgb({COLOUR} / {opacity:.3f})"
    return cell(f"{error * 100:.2f} %", class_="heat", style=style, data_value=repr(error))
