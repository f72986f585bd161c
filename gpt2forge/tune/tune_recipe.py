"""Tunes a recipe: measures sensitivities once, searches on the calibration text, judges on the text of `verify`."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit
from gpt2forge.executor.job_run import JobRun
from gpt2forge.plan.job import Job
from gpt2forge.quantize.forms import TABLES_PART, list_parts
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.store.store import Store
from gpt2forge.tune.calibration_jobs import (
    SplitText,
    make_choosing_job,
    make_costs_job,
    make_preparing_job,
    make_sensitivity_job,
    split_text,
)
from gpt2forge.tune.candidate import FITTED, make_recipe, read_choice, write_section
from gpt2forge.tune.choice import Choice, Option, list_options, set_costs
from gpt2forge.tune.objective import Objective
from gpt2forge.tune.run_variants import report_run, run_unpublished, run_variants
from gpt2forge.tune.search import Candidate, Search
from gpt2forge.tune.tuning_limits import TuningLimits

JUDGEMENTS = 6  # candidates that are judged on the text of `verify`, at most
CLOSE = 0.98  # share of a limit of which the rest is left unused
UNLIMITED = {"max_kl": None, "max_perplexity_increase": None, "min_top1_agreement": None}


@dataclass(frozen=True)
class Tuned:
    """The recipe that was found, its report and that of the recipe to start from, and every candidate.

    Both reports are measured on the text of `verify`, those of the candidates on the calibration text.
    """

    loaded: LoadedRecipe
    report: Report
    start: Report
    tried: Sequence[Candidate]


@dataclass
class Tuner:
    """Tunes one recipe. `tell` gets a line about each candidate."""

    start: LoadedRecipe
    name: str
    objective: Objective
    limits: TuningLimits
    store: Store
    emit: Emit
    tell: Callable[[str], None] = lambda line: None
    count: int = field(default=0)

    def tune(self) -> Tuned:
        """Return the best recipe within the limits. Raises UserError if there is none."""
        with tempfile.TemporaryDirectory(prefix="gpt2forge-") as folder:
            return self.search(split_text(self.start, Path(folder)))

    def search(self, split: SplitText) -> Tuned:
        """Search with the parts of the calibration text, and judge what is found."""
        options = self.measure_options(split)
        first = read_choice(self.start, options)
        search = Search(options, self.objective.aim, self.limits, lambda choice: self.measure(choice, split), first)
        found: Candidate | None = None
        for _ in range(JUDGEMENTS):
            best = search.run()
            if best is None:
                break
            report = self.judge(best.choice)
            excess = self.limits.find_excess(report)
            if self.limits.allow(report) and (found is None or search.rank(best) < search.rank(found)):
                found = best
            if excess == 0 or (found and excess >= CLOSE):
                break
            search.adjust(excess)
        # A limit that became stricter may have left out the recipe to start from, which is within it all the same.
        kept = search.tried[:1] if first and search.tried and self.limits.allow(self.judge(first)) else []
        choices = [each for each in (found, *kept) if each]
        if not choices:
            raise UserError(f"{self.start.recipe.name}: no choice was found within the limits; allow more")
        loaded = self.make_recipe(min(choices, key=search.rank).choice, self.name, self.limits.to_section())
        start, report = run_variants([self.start, loaded], self.store, self.emit)
        return Tuned(loaded, report, start, tuple(search.tried))

    def judge(self, choice: Choice) -> Report:
        """Measure a choice on the text of `verify`."""
        loaded = self.make_recipe(choice, self.name, self.limits.to_section())
        (report,) = run_variants([loaded], self.store, self.emit)
        if report.error:
            raise UserError(f"{self.name}: {report.error}")
        return report

    def measure_options(self, split: SplitText) -> list[Option]:
        """Measure the sensitivity of every weight, or take it from the store."""
        base = make_recipe(self.start, {"scheme": "int8", **FITTED}, f"{self.name}-parts", UNLIMITED)
        prepared = make_preparing_job(base, split)
        (tables,) = run_unpublished([make_sensitivity_job(prepared, TABLES_PART)], self.store, self.emit)
        parts = list_parts(int(read_metric(tables, "layers")))
        jobs = [make_sensitivity_job(prepared, part) for part in parts]
        self.tell(
            f"measuring each weight in every form: {len(jobs)} steps, those that are done are taken from the store"
        )
        runs = run_unpublished(jobs, self.store, self.emit)
        for run in runs:
            if run.error:
                raise run.error
        measured = [read_metric(run, "sensitivity") for run in runs]
        options = list_options({weight: forms for part in measured for weight, forms in part.items()})
        return self.add_costs(options, prepared)

    def add_costs(self, options: list[Option], prepared: Job) -> list[Option]:
        """Return the options with times or memory as costs if the objective is one of these."""
        section = self.objective.choose_rows(self.start)
        if section is None and not self.objective.counts_memory:
            return options
        (run,) = run_unpublished([make_costs_job(prepared, section)], self.store, self.emit)
        return set_costs(options, read_metric(run, "costs"))

    def measure(self, choice: Choice, split: SplitText) -> Report:
        """Build a choice and measure it on the calibration text."""
        self.count += 1
        loaded = self.make_recipe(choice, f"{self.name}-{self.count}", UNLIMITED)
        (run,) = run_unpublished([make_choosing_job(loaded, split)], self.store, self.emit)
        report = report_run(loaded, run)
        self.tell(describe_candidate(self.count, report))
        return report

    def make_recipe(self, choice: Choice, name: str, limits: dict[str, Any]) -> LoadedRecipe:
        return make_recipe(self.start, write_section(choice, self.start), name, limits)


def read_metric(run: JobRun, name: str) -> Any:
    """Return a number that the last step of a run measured."""
    return run.outcomes[-1].metrics[name]


def describe_candidate(number: int, report: Report) -> str:
    """Return a line about a candidate."""
    size = report.bytes.package if report.bytes else 0
    kl = report.verify.kl_mean if report.verify else 0.0
    return f"candidate {number}: {size:,} bytes, KL {kl:.3e} on the calibration text"
