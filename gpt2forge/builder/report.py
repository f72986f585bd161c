"""The report of a build, `build/<name>.json`: its fields, and how it is made, written and read.

JSON exists only at the edge: `Report.to_json` and `Report.from_json`. Everything else reads attributes.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from gpt2forge.builder.measurements import (
    Accuracy,
    Amount,
    Count,
    Many,
    MeasuredText,
    PackageSize,
    ReportPart,
    Speed,
)
from gpt2forge.builder.outputs import BUILD
from gpt2forge.errors import UserError
from gpt2forge.executor.outcome import Outcome
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import write_whole

VERSION: Literal[1] = 1
"""The version of the report's format. Raise it when a field is removed or changes its meaning."""

DEEPEST = 6
"""The number of parts of a place that a message names; every field of a report has fewer."""

MEASURED = ("bytes", "text", "verify", "benchmark")
"""The parts that steps measure; each has the name of the metric."""

OPTIONAL = {"verify", "benchmark"}
"""The parts that a build may skip; each has the name of the step that measures it."""


Values = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]
"""The values of a recipe as JSON. JsonValue also refuses infinities, and nesting that is too deep to write."""


class SourceReport(ReportPart):
    """A checkpoint that was fetched."""

    address: str = Field(description="the recipe's `source.checkpoint`, such as `hf://openai-community/gpt2@main`")
    commit: str | None = Field(
        description="the commit that was built, which `address` led to; null for `openai://`, which never changes"
    )


class StepReport(ReportPart):
    """The result of one step."""

    stage: str = Field(description="name of the step")
    outcome: Literal["built", "reused", "failed", "skipped"] = Field(
        description="result of the step; `skipped` by `--skip`, or because the step cannot run without PyTorch"
    )
    reason: str = Field(description="why the step ran, failed or was skipped; empty if it was reused")
    key: str | None = Field(description="digest (SHA-256) of everything that decides the result; null if unknown")
    digest: str | None = Field(description="digest (SHA-256) of the files that the step wrote; null if it wrote none")
    seconds: Amount = Field(description="duration of the step, in seconds, now or when a reused step ran")
    peak_memory_bytes: Count = Field(description="largest anonymous memory of the step, in bytes")


class Report(ReportPart):
    """The last build of a recipe. A part is null if no step measured it."""

    version: Literal[1] = Field(description="version of the format of this report")
    recipe: str = Field(description="name of the recipe")
    output: str | None = Field(description="path of the published package; null if nothing was published")
    error: str | None = Field(
        description="why nothing was published; null after a successful build. The package of an earlier build stays"
    )
    warnings: Many[str] = Field(description="reasons to doubt the numbers or the result, a sentence each")
    values: Values = Field(description="all values of the recipe; `gpt2forge schema` describes them")
    steps: Many[StepReport] = Field(description="results of the steps; each step reads only results of earlier ones")
    source: SourceReport | None = Field(
        default=None, description="where the checkpoint was fetched from; null if the recipe names a folder"
    )
    bytes: PackageSize | None = Field(description="size of the package")
    text: MeasuredText | None = Field(default=None, description="text that the accuracy was measured on")
    verify: Accuracy | None = Field(description="accuracy compared with PyTorch")
    benchmark: Speed | None = Field(description="speed and memory compared with PyTorch")

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values, in the order of the fields."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: object) -> "Report":
        """Return the report that JSON values hold; one without a version is taken if it has all fields.

        Raises ValueError that says what is wrong with the values.
        """
        if not isinstance(value, dict) or "recipe" not in value:
            raise ValueError("is not a report of gpt2forge; `build/NAME.json` is one")
        version = value.get("version", VERSION)
        if isinstance(version, int) and version > VERSION:
            raise ValueError(f"is a report of a newer version of gpt2forge (format {version}); update gpt2forge")
        try:
            return cls.model_validate({"version": VERSION, **value})
        except ValidationError as error:
            raise ValueError(describe_mismatch(error, has_version="version" in value)) from error

    def leave_out(self, parts: Collection[str]) -> "Report":
        """Return the report without the parts of these steps."""
        missing = [*OPTIONAL.intersection(parts), *(["text"] if "verify" in parts else [])]
        return self.model_copy(update=dict.fromkeys(missing))

    def repeats(self, saved: "Report") -> bool:
        """Return whether no step ran and the saved report holds all of this one.

        The saved report may also hold the numbers of steps that this build skipped.
        """
        is_idle = all(step.outcome in ("reused", "skipped") for step in self.steps)
        parts = [(getattr(self, part), getattr(saved, part)) for part in MEASURED]
        return (
            is_idle
            and (self.error, self.values, self.source) == (saved.error, saved.values, saved.source)
            and all(part is None or part == other for part, other in parts)
            and list_keys(self).items() <= list_keys(saved).items()
        )


def make_report_schema() -> dict[str, Any]:
    """Return the JSON Schema of a report, as `Report.to_json` writes it."""
    return Report.model_json_schema()


def describe_mismatch(error: ValidationError, has_version: bool) -> str:
    """Describe in one line why a value is not a report of this version, and how to fix it."""
    if not has_version:
        return "is a report of an older version of gpt2forge; build the recipe again"
    fault = describe_fault(error.errors(include_url=False)[0])
    return f"is not a report of this version of gpt2forge: {fault}; build the recipe again"


def describe_fault(detail: ErrorDetails) -> str:
    parts = [str(part) for part in detail["loc"][:DEEPEST]]
    place = " ".join(".".join(parts).split())  # a key may hold a line end
    known = {"missing": "is missing", "extra_forbidden": "is unknown"}
    return f"`{place}`: {known.get(detail['type'], detail['msg'][:1].lower() + detail['msg'][1:])}"


def make_report(
    values: Mapping[str, Any],
    output: Path | None,
    outcomes: Sequence[Outcome],
    warnings: Sequence[str],
    error: str | None,
    source: SourceReport | None = None,
) -> Report:
    """Collect the results of all steps of a build.

    `values` are those of the whole recipe, as JSON; `output` is None if nothing was published. `source` is the
    checkpoint if it was fetched.
    """
    metrics = {name: value for outcome in outcomes for name, value in outcome.metrics.items()}
    return Report.model_validate(
        {
            "version": VERSION,
            "recipe": values["name"],
            "output": None if output is None else str(output),
            "error": error,
            "warnings": list(warnings),
            "values": dict(values),
            "source": source,
            "steps": [outcome.to_json() for outcome in outcomes],
            **{part: metrics.get(part) for part in MEASURED},
            "bytes": find_size(metrics),
        }
    )


def find_size(metrics: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the size of the package as the last step left it; None if no step made it."""
    size: dict[str, int] | None = metrics.get("bytes")
    return size and {**size, "package": metrics.get("package_bytes", size["package"])}


def read_accuracy(outcome: Outcome) -> Accuracy | None:
    """Return the numbers that a step measured if it is `verify`."""
    found = outcome.metrics.get("verify")
    return None if found is None else Accuracy.model_validate(found)


def write_report(path: Path, report: Report, publish: Callable[[], None] | None = None) -> None:
    """Write a report and publish the package that it describes, so that the two always belong together.

    The report gets its space on the disk before anything is published. While the package is exchanged, there is no
    report.
    """

    def exchange() -> None:
        if publish:
            path.unlink(missing_ok=True)
            publish()

    write_whole(path, (json.dumps(report.to_json(), indent=2) + "\n").encode(), exchange)


def load_report(path: Path) -> Report:
    """Read a saved report, which may have been edited.

    Raises UserError if the file does not exist or holds no report of this version.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such report")
    try:
        return Report.from_json(parse_json(read_whole(path)))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def read_report(path: Path) -> Report | None:
    """Return the saved report, or None if there is none that this version can read."""
    with suppress(UserError):
        return load_report(path)
    return None


def find_later_failure(output: Path) -> str | None:
    """Return the error of the last build of an output if it failed, so that the output is an earlier build's."""
    report = read_report(BUILD / f"{output.name}.json") if output.parent == BUILD else None
    return report.error if report else None


def parse_json(text: bytes) -> Any:
    """Parse JSON. Raises ValueError for anything else, and for NaN and infinities, which are not JSON."""
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not a report of this version of gpt2forge: it is not JSON ({error})") from error


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def list_keys(report: Report) -> dict[str, str | None]:
    """Return the keys of the steps that were not skipped, by stage."""
    return {step.stage: step.key for step in report.steps if step.outcome != "skipped"}
