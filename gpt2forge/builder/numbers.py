"""The numbers of a report that a condition can name, each by its field in the report or a short word."""

from collections.abc import Callable, Mapping

from gpt2forge.builder.measurements import Accuracy, PackageSize, Speed
from gpt2forge.builder.report import Report

Read = Callable[[Report], float | None]
"""Reads a number of a report; None if it was not measured."""


def of_size(read: Callable[[PackageSize], float]) -> Read:
    return lambda report: read(report.bytes) if report.bytes else None


def of_accuracy(read: Callable[[Accuracy], float]) -> Read:
    return lambda report: read(report.verify) if report.verify else None


def of_speed(read: Callable[[Speed], float]) -> Read:
    return lambda report: read(report.benchmark) if report.benchmark else None


NUMBERS: Mapping[str, Read] = {
    "size": of_size(lambda size: size.package),
    "size_share": of_size(lambda size: size.share),
    "perplexity": of_accuracy(lambda accuracy: accuracy.perplexity),
    "perplexity_reference": of_accuracy(lambda accuracy: accuracy.perplexity_reference),
    "perplexity_increase": of_accuracy(lambda accuracy: accuracy.perplexity_increase),
    "kl": of_accuracy(lambda accuracy: accuracy.kl_mean),
    "kl_mean": of_accuracy(lambda accuracy: accuracy.kl_mean),
    "kl_median": of_accuracy(lambda accuracy: accuracy.kl_median),
    "kl_p99": of_accuracy(lambda accuracy: accuracy.kl_p99),
    "top1_agreement": of_accuracy(lambda accuracy: accuracy.top1_agreement),
    "speedup": of_speed(lambda speed: speed.speedup),
    "tokens_per_second": of_speed(lambda speed: speed.tokens_per_second),
    "token_ms": of_speed(lambda speed: speed.token_ms),
    "prefill_ms": of_speed(lambda speed: speed.prefill_ms),
    "load_s": of_speed(lambda speed: speed.load_s),
    "peak_memory_bytes": of_speed(lambda speed: speed.peak_memory_bytes),
    "mapped_memory_bytes": of_speed(lambda speed: speed.mapped_memory_bytes),
}
