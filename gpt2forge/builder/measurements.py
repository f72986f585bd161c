"""The numbers that the steps `quantize`, `verify` and `benchmark` measure, with the meaning and unit of each."""

import math
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict

Item = TypeVar("Item")

Many = Annotated[tuple[Item, ...], Strict(False)]
"""A JSON array of any length."""

Interval = Annotated[tuple[float, float], Strict(False)]
"""A JSON array of the lower and the upper edge."""

Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A whole number that fits into 64 bits, so that arithmetic with it cannot overflow."""


class ReportPart(BaseModel):
    """A part of a report: frozen, without unknown keys, and without NaN and infinities."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Host(ReportPart):
    """The parts of a machine that decide what it measures."""

    processor: str = Field(description="name of the processor")
    instructions: Many[str] = Field(description="vector instructions that the processor has, sorted")
    threads: Count = Field(description="number of processor cores that the process may use")
    system: str = Field(description="operating system and architecture")


class PackageSize(ReportPart):
    """The size of the package."""

    package: Count = Field(description="size of all files of the package, in bytes")
    float32: Annotated[Count, Field(gt=0)] = Field(
        description="size of its weights if all were float32, in bytes (4 bytes a weight)"
    )

    @property
    def share(self) -> float:
        """The size of the package as a share of float32."""
        return self.package / self.float32


class MeasuredText(ReportPart):
    """The text that the accuracy was measured on, and what a model must surpass that knows the text's language."""

    bytes: Count = Field(description="size of the tokens that were used, as UTF-8, in bytes")
    zlib_bytes: Count = Field(
        description="the same compressed by zlib, in bytes; a model that knows the text's language needs fewer"
    )
    vocabulary: Count = Field(description="number of tokens that the model chooses from")


class Intervals(ReportPart):
    """The 95 % interval of each number, from a bootstrap over the windows; `[low, high]` in the unit of the number."""

    perplexity: Interval = Field(description="interval of `perplexity`")
    perplexity_reference: Interval = Field(description="interval of `perplexity_reference`")
    perplexity_increase: Interval = Field(description="interval of `perplexity_increase`")
    kl_mean: Interval = Field(description="interval of `kl_mean`, in nats per token")
    kl_median: Interval = Field(description="interval of `kl_median`, in nats per token")
    kl_p99: Interval = Field(description="interval of `kl_p99`, in nats per token")
    kl_mean_least: Interval = Field(description="interval of `kl_mean_least`, in nats per token")
    top1_agreement: Interval = Field(description="interval of `top1_agreement`")


class Properties(ReportPart):
    """The largest difference of each property, as a share of the spread of the logits (largest minus smallest).

    A property is null if the graph does not have it.
    """

    steps_equal_pass: Amount | None = Field(description="difference between one pass and a pass for each token")
    shared_equals_copied: Amount | None = Field(
        description="difference between a cache that is extended in place and one that is copied"
    )
    padded_equals_alone: Amount | None = Field(
        description="difference between the rows of a left-padded batch and each row alone"
    )
    batch_equals_single: Amount | None = Field(description="difference between the rows of a batch and each row alone")


class Prompt(ReportPart):
    """A prompt and the difference that it shows."""

    difference: Amount = Field(description="difference, as a share of the spread of the logits")
    tokens: Many[Count] = Field(description="token ids of the prompt")


class PropertyPrompts(ReportPart):
    """The prompts that show a larger difference than all shorter ones, shortest first.

    A batch also holds the prompt backwards, a padded batch also its first half.
    """

    steps_equal_pass: Many[Prompt] | None = Field(description="prompts for `steps_equal_pass`")
    shared_equals_copied: Many[Prompt] | None = Field(description="prompts for `shared_equals_copied`")
    padded_equals_alone: Many[Prompt] | None = Field(description="prompts for `padded_equals_alone`")
    batch_equals_single: Many[Prompt] | None = Field(description="prompts for `batch_equals_single`")


class Accuracy(ReportPart):
    """The accuracy of the package on a text, compared with PyTorch in float32."""

    perplexity: Amount = Field(description="perplexity of the package")
    perplexity_reference: Amount = Field(description="perplexity of PyTorch in float32")
    perplexity_increase: float = Field(
        description="increase of the perplexity over PyTorch's, as a share: 0.01 means 1 % more"
    )
    kl_mean: float = Field(
        description="mean Kullback-Leibler divergence from PyTorch over all positions, in nats per token"
    )
    kl_median: float = Field(description="median of the divergence over all positions, in nats per token")
    kl_p99: float = Field(description="99th percentile of the divergence over all positions, in nats per token")
    kl_mean_least: float = Field(
        description="lower bound of `kl_mean`, in nats per token; the rest of `kl_mean` is an unbiased estimate from a "
        "sample of unlikely tokens"
    )
    top1_agreement: Amount = Field(
        description="share of positions at which the package and PyTorch have the same likeliest token, from 0 to 1"
    )
    intervals: Intervals | None = Field(description="95 % interval of each number above; null if there is one window")
    kl_windows: Many[float] = Field(
        default=(),
        description="mean divergence of each window, in nats per token, in the order of the text; results on the same "
        "text can be compared window by window",
    )
    positions: Count = Field(description="number of predicted tokens; the first token of a window is not predicted")
    windows: Count = Field(description="number of windows that the text is cut into; they do not overlap")
    tokens: Count = Field(description="number of tokens of the text that were used")
    window: Count = Field(description="length of the longest window, in tokens; the model's context at most")
    stride: Count = Field(description="distance between the starts of two windows, in tokens")
    properties: Properties = Field(description="largest difference of each property")
    text_digest: str = Field(description="SHA-256 of the token ids, each as 4 bytes, little-endian")
    host: Host = Field(description="machine that measured; another processor may round differently")
    prompts: PropertyPrompts = Field(description="prompts that show the differences of each property")

    @property
    def bits_reference(self) -> float:
        """The bits that PyTorch in float32 needs for the predicted tokens of the text."""
        return self.positions * math.log2(self.perplexity_reference) if self.perplexity_reference > 0 else 0.0


class Ranges(ReportPart):
    """The smallest and the largest value of all rounds; `[least, largest]` in the unit of the number."""

    bandwidth_gb_s: Interval = Field(description="range of `bandwidth_gb_s`, in GB/s")
    prefill_ms: Interval = Field(description="range of `prefill_ms`, in milliseconds")
    token_ms: Interval = Field(description="range of `token_ms`, in milliseconds")
    prefill_ms_reference: Interval = Field(description="range of `prefill_ms_reference`, in milliseconds")
    token_ms_reference: Interval = Field(description="range of `token_ms_reference`, in milliseconds")


class Speed(ReportPart):
    """The speed and memory of the package on this machine, and of PyTorch in float32 in the same run.

    Times are medians of the rounds. The package and PyTorch take turns.
    """

    bandwidth_gb_s: Amount = Field(
        description="speed at which this machine reads memory, in GB/s (10^9 bytes per second), measured between rounds"
    )
    prefill_ms: Amount = Field(description="time to read the prompt, in milliseconds")
    token_ms: Amount = Field(description="time of a new token, in milliseconds")
    prefill_ms_reference: Positive = Field(description="time of PyTorch to read the prompt, in milliseconds")
    token_ms_reference: Positive = Field(description="time of PyTorch for a new token, in milliseconds")
    load_s: Amount = Field(description="time to open the package in a process of its own, in seconds")
    load_s_reference: Amount = Field(description="time of PyTorch to open the weights, in seconds")
    peak_memory_bytes: Count = Field(description="largest anonymous memory while opening and in a first turn, in bytes")
    mapped_memory_bytes: Count = Field(description="largest memory of mapped files in the same time, in bytes")
    peak_memory_bytes_reference: Count = Field(description="largest anonymous memory of PyTorch, in bytes")
    mapped_memory_bytes_reference: Count = Field(description="largest memory of mapped files of PyTorch, in bytes")
    bandwidth_limit_ms: Amount = Field(
        description="shortest possible time of a token at `bandwidth_gb_s`, in milliseconds: each token reads all "
        "weights once, and single rows of tables that are looked up"
    )
    bandwidth_limit_share: Amount = Field(
        description="`bandwidth_limit_ms` divided by `token_ms`; a model that fits into the processor's caches, such "
        "as nano, can exceed 1"
    )
    spread: Ranges = Field(description="smallest and largest value of all rounds")
    rounds: Count = Field(description="number of rounds")
    noise: Many[str] = Field(
        description="reasons to doubt the times: other programs that ran, uneven rounds; measure again with "
        "`--rerun benchmark`"
    )
    host: Host = Field(description="machine that measured; another machine measures again")

    @property
    def speedup(self) -> float:
        """Return how many times as fast as PyTorch a new token is made."""
        return self.token_ms_reference / self.token_ms if self.token_ms else math.inf

    @property
    def tokens_per_second(self) -> float:
        """The number of new tokens that are made in a second."""
        return 1000 / self.token_ms if self.token_ms else math.inf
