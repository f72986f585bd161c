"""The promise of an article of 2020 about small GPT-2s, tested on a report: size, waiting and accuracy beside PyTorch.

1. A number passes if the upper end of its interval is within its limit, so a doubtful number does not pass.
2. Times: the interval of a median is the range of its rounds. Of n independent rounds, all lie on one side of the true
   median with probability 2^(1-n). The interval of a ratio divides the ends of two such ranges, so it holds with
   probability 1 - 2^(2-n) at least, whatever the distribution of the times.
3. Accuracy: the intervals are those of `verify`, a bootstrap over the windows of the text.
4. KL is noticeable from 1 / (2 N) nats a token on, for texts of N tokens. A reader who knows all probabilities of both
   models and has one text of N tokens guesses which of them wrote it. By Pinsker's inequality the guess is right with
   probability 1/2 + sqrt(N KL / 2) / 2 at most, which is 3/4, the usual threshold of perception, at that KL.
   https://en.wikipedia.org/wiki/Pinsker%27s_inequality, https://en.wikipedia.org/wiki/Just-noticeable_difference
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gpt2forge.builder.measurements import Accuracy, Interval, Speed
from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError, quote

TEXT = 100  # tokens of the text by which a reader tells two models apart: a paragraph
MOST_SIZE, MOST_WAIT = 0.25, 0.5
MOST_INCREASE, MOST_KL = 0.01, 1 / (2 * TEXT)
ROUNDS = 5  # with fewer, the interval of a ratio of times holds in less than seven of eight cases
BOOTSTRAP = 0.95
PARTS = {"bytes": "size", "verify": "accuracy", "benchmark": "speed"}


@dataclass(frozen=True)
class ClaimedNumber:
    """A number, the interval that holds its true value with `confidence`, and the limit that it must not exceed.

    `is_share`: a number between 0 and 1, to show as a percentage.
    """

    name: str
    value: float
    interval: Interval
    confidence: float
    limit: float
    is_share: bool = True

    @property
    def passes(self) -> bool:
        """Return whether the whole interval is within the limit (rule 1)."""
        return self.interval[1] <= self.limit

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "interval": list(self.interval), "passes": self.passes}


@dataclass(frozen=True)
class Promise:
    """A part of the claim and the numbers that decide it. `doubts` are reasons why it cannot pass."""

    name: str
    text: str
    numbers: tuple[ClaimedNumber, ...]
    doubts: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        return not self.doubts and all(number.passes for number in self.numbers)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "promise": self.text,
            "passes": self.passes,
            "numbers": [number.to_json() for number in self.numbers],
            "doubts": list(self.doubts),
        }


def assess_claim(report: Report) -> list[Promise]:
    """Return the three promises, tested on a report. Raises UserError if the report lacks a measurement."""
    if report.bytes is None or report.verify is None or report.benchmark is None:
        missing = [what for part, what in PARTS.items() if getattr(report, part) is None]
        fix = "add `verify` and `benchmark` to its recipe"
        raise UserError(f"{report.recipe}: {quote(missing)} was not measured; {fix}")
    size = report.bytes.package / report.bytes.float32
    exact = ClaimedNumber("size", size, (size, size), 1.0, MOST_SIZE)
    return [
        Promise("size", "at most a quarter of float32", (exact,)),
        Promise(
            "wait", "at most half of PyTorch's", tuple(list_waits(report.benchmark)), doubt_times(report.benchmark)
        ),
        Promise("accuracy", "no loss that a reader would notice", *assess_accuracy(report.verify)),
    ]


def list_waits(speed: Speed) -> Iterator[ClaimedNumber]:
    """Yield the time of a prompt and of a token as shares of PyTorch's in the same run (rule 2)."""
    ranges, confidence = speed.spread, max(0.0, 1 - 2.0 ** (2 - speed.rounds))
    pairs = {
        "prompt": (speed.prefill_ms / speed.prefill_ms_reference, ranges.prefill_ms, ranges.prefill_ms_reference),
        "token": (speed.token_ms / speed.token_ms_reference, ranges.token_ms, ranges.token_ms_reference),
    }
    for name, (ratio, ours, theirs) in pairs.items():
        yield ClaimedNumber(name, ratio, divide(ours, theirs), confidence, MOST_WAIT)


def divide(ours: Interval, theirs: Interval) -> Interval:
    """Return the interval of the ratio of two positive numbers."""
    return (ours[0] / theirs[1], ours[1] / theirs[0]) if theirs[0] > 0 else (0.0, float("inf"))


def doubt_times(speed: Speed) -> tuple[str, ...]:
    if speed.rounds >= ROUNDS:
        return ()
    return (f"{speed.rounds} rounds are too few for an interval; set `benchmark.rounds` to {ROUNDS} or more",)


def assess_accuracy(verify: Accuracy) -> tuple[tuple[ClaimedNumber, ...], tuple[str, ...]]:
    """Return the increase of perplexity and KL, and why they cannot pass (rules 3 and 4)."""
    edges = verify.intervals
    if edges is None:
        return (), ("a text of one window gives no interval; set `verify.tokens` to some windows",)
    increase = ("perplexity increase", verify.perplexity_increase, edges.perplexity_increase, BOOTSTRAP, MOST_INCREASE)
    divergence = ClaimedNumber("KL", verify.kl_mean, edges.kl_mean, BOOTSTRAP, MOST_KL, is_share=False)
    return (ClaimedNumber(*increase), divergence), ()
