"""The limits of a tuned recipe, and which of them a result exceeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log1p
from typing import Any

from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError
from gpt2forge.recipe.load import LoadedRecipe


@dataclass(frozen=True)
class TuningLimits:
    """The most that a result may have: KL in nats a token, increase of perplexity as a share, bytes of the package."""

    kl: float | None = None
    increase: float | None = None
    size: int | None = None

    @property
    def budget(self) -> float | None:
        """The divergence to aim at. The loss of a text grows by KL if the reference is right about the text."""
        return self.kl if self.kl is not None or self.increase is None else log1p(self.increase)

    def find_excess(self, report: Report) -> float:
        """Return the largest share by which a result exceeds a limit on accuracy; 1 or less if it is within all."""
        return max((number / limit for number, limit in self.list_accuracies(report) if limit), default=0.0)

    def list_accuracies(self, report: Report) -> Iterator[tuple[float, float]]:
        if report.verify and self.kl is not None:
            yield report.verify.kl_mean, self.kl
        if report.verify and self.increase is not None:
            yield report.verify.perplexity_increase, self.increase

    def allow(self, report: Report) -> bool:
        """Return whether a result is within all limits."""
        fits = self.size is None or (report.bytes is not None and report.bytes.package <= self.size)
        return fits and self.find_excess(report) <= 1

    def to_section(self) -> dict[str, Any]:
        """Return the limits as `verify:` of a recipe has them; without the size, for which it has no key."""
        increase = None if self.increase is None else f"{100 * self.increase:.6g}%"
        return {"max_kl": self.kl, "max_perplexity_increase": increase, "min_top1_agreement": None}


def choose_limits(loaded: LoadedRecipe, kl: float | None, increase: float | None, size: int | None) -> TuningLimits:
    """Return the limits that the user gave; without any on accuracy, those of the recipe. Raises UserError for none."""
    verify = loaded.recipe.verify
    if kl is None and increase is None and verify:
        kl, increase = verify.max_kl, verify.max_perplexity_increase
    if kl is None and increase is None and size is None:
        raise UserError(
            f"{loaded.recipe.name}: there is no limit to tune for; give `--max-kl`, `--max-perplexity-increase` or "
            "`--max-size`"
        )
    return TuningLimits(kl, increase, size)
