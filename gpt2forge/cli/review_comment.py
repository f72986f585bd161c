"""The comment on a pull request, as Markdown: what changes, whether it may be used, and why each step ran.

1. The first line is MARK, by which a workflow finds the comment to update.
2. The table has a row for each result that changes, below the row of what it was before. Others are named below it.
3. A result without a report was not built: another one failed first, or its recipe has faults, which are listed.
"""

from collections.abc import Iterator

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.report import Report, StepReport
from gpt2forge.builder.review import Review, ReviewedResult
from gpt2forge.builder.verdict import WORDS, find_verdict
from gpt2forge.cli.comparison_table import (
    TITLES,
    describe_differences,
    describe_place,
    escape_markdown,
    format_markdown_rows,
    make_row,
)
from gpt2forge.cli.summary import NOTHING
from gpt2forge.errors import quote
from gpt2forge.units import count

MARK = "<!-- gpt2forge review -->"
LONGEST = 60_000  # characters; GitHub takes 65,536
Row = tuple[str, ...]


def format_comment(review: Review) -> str:
    """Format a review (rules 1 and 2). What is beyond LONGEST is left out."""
    rows = [row for result in review.changed for row in list_rows(result)]
    table = [*format_markdown_rows([(*TITLES, ""), *rows]), ""] if rows else []
    remarks = [f"* {escape_markdown(remark)}" for remark in list_remarks(review)]
    return cut("\n".join([MARK, f"### {describe_review(review)}", "", *table, *remarks]) + "\n")


def cut(text: str) -> str:
    """Return the whole lines of a text that fit into a comment."""
    if len(text) <= LONGEST:
        return text
    kept = text[: text.rfind("\n", 0, LONGEST)]
    return f"{kept}\n\nThe rest is too long for a comment.\n"


def describe_review(review: Review) -> str:
    """Return the heading: how many results change, and whether all may be used."""
    total, changed = len(review.results), len(review.changed)
    verb = "changes" if changed == 1 else "change"
    quality = "recipes have faults" if review.faults else describe_quality(review)
    return f"gpt2forge: {changed or 'none'} of {count(total, 'result')} {verb}; {quality}"


def describe_quality(review: Review) -> str:
    """Say which results may not be used, or that no number is beyond a limit."""
    verdicts = {each.name: find_verdict(each.now) if each.now else None for each in review.results}
    unusable = [name for name, verdict in verdicts.items() if verdict is None or not verdict.is_usable]
    if unusable:
        return f"{quote(unusable)} cannot be used"
    is_measured = any(verdict and verdict.kind != "unmeasured" for verdict in verdicts.values())
    return "no limit is exceeded" if is_measured else "quality was not measured"


def list_rows(result: ReviewedResult) -> Iterator[Row]:
    """Yield the row of the result before the change, if there is one, and its row now (rules 2 and 3)."""
    if result.before:
        yield (*make_row(f"{result.name}, before", result.before), "")
    if result.now:
        yield (*make_row(result.name, result.now), describe_change(result))
    else:
        yield (result.name, *[NOTHING] * (len(TITLES) - 2), WORDS["failed"], "")


def describe_change(result: ReviewedResult) -> str:
    """Return what differs from before, and why the result cannot be used or is worse in everything."""
    comparison = pair(result)
    last = len(comparison.reports) - 1
    start = describe_differences(comparison, last) if result.before else "new"
    return "; ".join(part for part in (start, *describe_place(comparison, last)) if part)


def pair(result: ReviewedResult) -> Comparison:
    """Compare a result with the one before the change."""
    before = result.before and result.before.model_copy(update={"recipe": f"{result.name}, before"})
    return Comparison([report for report in (before, result.now) if report])


def list_remarks(review: Review) -> Iterator[str]:
    """Yield the faults, what each changed result is made of, what makes its numbers doubtful, and what is unchanged."""
    yield from map(str, review.faults)
    for result in review.changed:
        if result.now:
            yield f"`{result.name}`: {describe_steps(result.now)}"
        yield from pair(result).remarks
    unchanged = [result.name for result in review.results if result.is_unchanged]
    if unchanged:
        yield f"unchanged: {quote(unchanged)}"
    if review.results and not any(result.before for result in review.results):
        yield "there is no earlier result to compare with"


def describe_steps(report: Report) -> str:
    """Say which steps ran and why, and how many were reused."""
    ran = [step for step in report.steps if step.outcome in ("built", "failed")]
    reused = sum(step.outcome == "reused" for step in report.steps)
    parts = [*map(describe_step, ran), *([f"{count(reused, 'step')} reused"] if reused else [])]
    return "; ".join(parts) or "no step ran"


def describe_step(step: StepReport) -> str:
    return f"`{step.stage}` {step.outcome} ({step.reason})" if step.reason else f"`{step.stage}` {step.outcome}"
