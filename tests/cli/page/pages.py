"""A page with every section, for tests; and a reader of pages."""

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from gpt2forge.builder.answers import Answer
from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.operator_times import PhaseTimes
from gpt2forge.builder.report import Report
from gpt2forge.cli.page.markup import VOID
from gpt2forge.cli.page.page import PageData
from tests.reports import make_report


def make_result(name: str, size: int, token: float, kl: float, **changes: Any) -> Report:
    made: dict[str, Any] = {
        "recipe": name,
        "values": {"name": name, "quantization": {"scheme": name[:4]}, "verify": {"max_kl": 0.02}},
        "bytes": {"package": size, "float32": 5_401_600},
        "benchmark__token_ms": token,
        "benchmark__spread__token_ms": [token * 0.9, token * 1.1],
        "verify__kl_mean": kl,
        "verify__intervals__kl_mean": [kl * 0.9, kl * 1.1],
    }
    return make_report(**{**made, **changes})


RESULTS = (
    make_result("fp32", 5_401_600, 3.0, 1.23456789e-9),
    make_result("int8-128", 1_812_345, 1.0, 0.0101),
    make_result("int8-old", 1_912_345, 1.5, 0.0191),
    make_result("int4-32", 1_012_345, 0.9, 0.0301),
)


def list_tensors(error: float) -> list[dict[str, Any]]:
    names = [f"h.{layer}.{name}.weight" for layer in range(12) for name in ("attn.c_attn", "ln_1", "mlp.c_fc")]
    return [{"name": name, "error": error * place} for place, name in enumerate(["wte.weight", *names], 1)]


def list_times(ms: float) -> list[PhaseTimes]:
    operators = {"MatMulNBits": ms * 0.75, "GroupQueryAttention": ms * 0.125}
    return [PhaseTimes("a prompt of 64 tokens", ms * 10, operators), PhaseTimes("a new token", ms, operators)]


def make_data(results: Sequence[Report] = RESULTS, **changes: Any) -> PageData:
    names = Comparison(results).names
    answers = [Answer((1, 2, 3), ("def", " f", "\n(x)")), Answer((1, 5, 3), ("def", " g", "\n(x)"))]
    data: dict[str, Any] = {
        "comparison": Comparison(results),
        "tensors": {name: list_tensors(0.001 * place) for place, name in enumerate(names)},
        "times": {name: list_times(1.0 + place) for place, name in enumerate(names)},
        "prompts": ["import os\n\n"],
        "answers": {name: [answers[min(place, 1)]] for place, name in enumerate(names)},
    }
    return PageData(**{**data, **changes})


class PageReader(HTMLParser):
    """Reads a page: its elements with their attributes, the texts of each, and the rows of numbers.

    Raises AssertionError for an element that is not closed where it should be.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), attrs
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def find(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def find_texts(self, tag: str) -> list[str]:
        """Return the texts directly in elements of a tag."""
        return [data for name, data in self.texts if name == tag]

    def read_numbers(self) -> dict[str, list[float | None]]:
        """Return the numbers of the first table by their places in a report, in the order of the results."""
        found: dict[str, list[float | None]] = {}
        for attributes in self.find("td"):
            place = attributes.get("data-number")
            if place:
                value = attributes.get("data-value")
                found.setdefault(place, []).append(None if value is None else float(value))
        return found
