"""Searches for the best recipe: solves, builds what was found, and corrects the prediction by what was measured.

1. The divergence of a choice is predicted as the sum of those of its weights alone. That is an approximation. After a
   candidate is measured, all predictions are multiplied by its ratio of measured to predicted divergence. Where only
   the perplexity has a limit, its increase takes the place of the measured divergence. Where both have limits, and a
   candidate exceeds only the one on perplexity, the next one gets less divergence.
2. The size of a package is predicted as the bytes of its weights and the most that any candidate had beside them.
3. When the same choice is found again, the prediction of each weight gets a factor of its own from all candidates, and
   the best choice that was not tried is measured, which corrects the factors (see `factors`), until PATIENCE of them
   are no better.
4. The recipe to start from is the first candidate, if its forms are among the options.
5. All candidates are measured on the calibration text. The best of those within the limits is judged on the text of
   `verify`. If it exceeds a limit there, or leaves much of it, the limit for the search becomes as much stricter or
   wider, and the search goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gpt2forge.builder.report import Report
from gpt2forge.tune.choice import Choice, Option, name_choice, total_bytes, total_cost, total_kl
from gpt2forge.tune.problem import Aim, Problem
from gpt2forge.tune.tuning_limits import TuningLimits

CORRECTIONS = 8  # candidates that correct the prediction, at most
NEIGHBOURS = 18  # candidates that factors suggest, at most
PATIENCE = 6  # of these that are no better than the best one so far, and end the search
MARGIN = 0.995  # of a limit that a candidate exceeded
WIDEST = 4.0  # ratio of measured to predicted divergence by which a prediction is corrected, at most

Measure = Callable[[Choice], Report]
"""Builds a choice and measures it on the calibration text."""


@dataclass(frozen=True)
class Candidate:
    """A choice and what was measured."""

    choice: Choice
    report: Report

    @property
    def kl(self) -> float:
        return self.report.verify.kl_mean if self.report.verify else 0.0

    @property
    def size(self) -> int:
        return self.report.bytes.package if self.report.bytes else 0


@dataclass
class Search:
    """A search for the choice with the least `aim` within limits; `first` is tried first, `tried` are all so far.

    `ratio` is that of measured to predicted divergence, `strictness` multiplies the limits on accuracy, and `share` the
    divergence that is left where perplexity allows less.
    """

    options: Sequence[Option]
    aim: Aim
    limits: TuningLimits
    measure: Measure
    first: Choice | None = None
    tried: list[Candidate] = field(default_factory=list)
    ratio: float = 1.0
    strictness: float = 1.0
    share: float = 1.0

    def run(self) -> Candidate | None:
        """Try candidates by rules 1 to 4 and return the best one within the limits; None if there is none."""
        if self.first and not self.tried:
            self.correct(self.take(self.first))
        for _ in range(CORRECTIONS):
            choice = self.solve(())
            if choice is None:
                break
            known = self.find(choice)
            if known and self.allows(known):
                break
            self.correct(known or self.take(choice))
            self.ratio /= MARGIN if known else 1
        self.try_neighbours()
        return self.find_best()

    def try_neighbours(self) -> None:
        """Try candidates by rule 3, until several are no better than the best one."""
        in_vain = 0
        for _ in range(NEIGHBOURS):
            best, choice = self.find_best(), self.solve_with_factors()
            if choice is None or in_vain == PATIENCE:
                return
            self.take(choice)
            in_vain = in_vain + 1 if self.find_best() is best else 0

    def solve(self, without: Sequence[Choice]) -> Choice | None:
        """Return the best choice by the present prediction."""
        from gpt2forge.tune.solve import solve  # only here: other commands need no numpy

        budget = self.limits.budget
        most_kl = None if budget is None else budget * self.strictness * self.share / self.ratio
        return solve(self.options, Problem(self.aim, most_kl, self.most_bytes, without))

    def solve_with_factors(self) -> Choice | None:
        """Return the best choice that was not tried, with a factor for each weight.

        Factors are of divergences. Where only the perplexity has a limit, there are none.
        """
        from gpt2forge.tune.factors import fit_factors
        from gpt2forge.tune.solve import solve

        tried, budget = [each.choice for each in self.tried], self.limits.kl
        if budget is None and self.limits.budget is not None:
            return self.solve(tried)
        factors = fit_factors([(each.choice, each.kl) for each in self.tried])
        corrected = [replace(option, kl=option.kl * factors.get(option.weight, 1.0)) for option in self.options]
        most_kl = None if budget is None else budget * self.strictness * self.share
        found = solve(corrected, Problem(self.aim, most_kl, self.most_bytes, tried))
        return found and {option.weight: option for option in self.options if found[option.weight].form == option.form}

    @property
    def most_bytes(self) -> float | None:
        """The most bytes of the weights (rule 2)."""
        rest = max((each.size - total_bytes(each.choice) for each in self.tried), default=0)
        return None if self.limits.size is None else float(self.limits.size - rest)

    def take(self, choice: Choice) -> Candidate:
        """Measure a choice and remember it."""
        candidate = Candidate(choice, self.measure(choice))
        self.tried.append(candidate)
        return candidate

    def correct(self, candidate: Candidate) -> None:
        """Correct the prediction by a measured candidate (rule 1)."""
        predicted, budget = total_kl(candidate.choice), self.limits.budget
        if predicted > 0 and budget is not None:
            excess = self.limits.find_excess(candidate.report)
            measured = excess * budget if self.limits.kl is None else candidate.kl
            self.ratio = min(max(measured / predicted, 1 / WIDEST), WIDEST)
            if measured <= budget * self.strictness < budget * excess:
                self.share *= MARGIN * self.strictness / excess

    def find(self, choice: Choice) -> Candidate | None:
        name = name_choice(choice)
        return next((each for each in self.tried if name_choice(each.choice) == name), None)

    def find_best(self) -> Candidate | None:
        """Return the best candidate within the limits, which are `strictness` times as strict."""
        return min(filter(self.allows, self.tried), key=self.rank, default=None)

    def allows(self, candidate: Candidate) -> bool:
        fits = self.limits.size is None or candidate.size <= self.limits.size
        return fits and self.limits.find_excess(candidate.report) <= self.strictness

    def rank(self, candidate: Candidate) -> tuple[float, float]:
        cost = total_cost(candidate.choice)
        return (candidate.kl, cost) if self.aim == "kl" else (cost, candidate.kl)

    def adjust(self, excess: float) -> None:
        """Make the limits on accuracy stricter after a result took this share of them on the other text, or wider."""
        self.strictness *= MARGIN / excess
