"""The time that the steps of a run are expected to take, from the estimates of their plans."""

from collections.abc import Sequence

from gpt2forge.executor.job_run import JobRun


def expect_seconds(job_runs: Sequence[JobRun]) -> dict[tuple[str, str], float]:
    """Return the seconds that each step which will or may run is expected to take, by recipe and stage.

    A step that several recipes share is listed for the first of them.
    """
    found: dict[str, tuple[tuple[str, str], float]] = {}
    for job_run in job_runs:
        for step in job_run.plan.steps:
            seconds = step.estimate.seconds if step.estimate else None
            if step.stage in job_run.stages and step.verdict in ("will run", "may run") and seconds is not None:
                found.setdefault(step.identity, ((job_run.job.name, step.stage.name), seconds))
    return dict(found.values())
