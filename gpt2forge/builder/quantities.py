"""The quantities that decide between results. Less of each is better."""

from collections.abc import Callable, Mapping

from gpt2forge.builder.dominance import Quantity, make_quantity, make_size
from gpt2forge.builder.report import Report

ReadQuantity = Callable[[Report], Quantity | None]
"""Reads a quantity of a report; None if it was not measured."""


def read_size(report: Report) -> Quantity | None:
    return make_size(report.bytes.package) if report.bytes else None


def read_time(report: Report) -> Quantity | None:
    """Return a token's time in milliseconds, between its rounds."""
    return make_quantity(report.benchmark.token_ms, report.benchmark.spread.token_ms) if report.benchmark else None


def read_divergence(report: Report) -> Quantity | None:
    """Return the KL divergence from PyTorch, in nats a token."""
    accuracy = report.verify
    interval = accuracy.intervals.kl_mean if accuracy and accuracy.intervals else None
    return make_quantity(accuracy.kl_mean, interval) if accuracy else None


SIZE, TOKEN, DIVERGENCE = "size", "a token's time", "KL divergence"
FRONT: Mapping[str, ReadQuantity] = {SIZE: read_size, TOKEN: read_time, DIVERGENCE: read_divergence}
