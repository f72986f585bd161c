"""A team: stores of several machines with the same levels behind them, and toy jobs that they build."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("httpx2")

from gpt2forge.builder.pull_needed import Range, make_plans
from gpt2forge.executor.events import Event
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.job import Job
from gpt2forge.remote.address import parse_remote
from gpt2forge.remote.open_remote import open_remote
from gpt2forge.remote.remote_store import RemoteStore
from gpt2forge.remote.signing import VARIABLE, load_signer, make_secret

SECRET = make_secret()
PUBLIC = load_signer(SECRET).public


@dataclass
class Machine:
    """A store with levels. `warnings` are those that its builds gave, `events` those of its last build."""

    root: Path
    levels: Sequence[str]
    secret: str | None = SECRET
    trusted: Sequence[str] = (PUBLIC,)
    warnings: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def open(self) -> RemoteStore:
        """Open the store as a new command does."""
        addresses = [parse_remote(level) for level in self.levels]
        environment = {VARIABLE: self.secret} if self.secret else {}
        return RemoteStore(
            self.root,
            addresses,
            lambda: open_remote(addresses, trusted=self.trusted, environment=environment, warn=self.warnings.append),
            can_push=bool(environment),
        )

    def build(self, job: Job, within: Range = Range()) -> list[Outcome]:  # noqa: B008
        """Build a job and push it, as the command does; return the outcomes."""
        store = self.open()
        self.events.clear()
        with store.hold():
            (plan,) = make_plans([job], store, emit=self.events.append, within=within)
            job_run = JobRun(plan, until=within.until)
            options = Options(resources=Resources(1, 1 << 40), rerun=within.rerun)
            run_jobs([job_run], store, emit=self.events.append, options=options)
            if job_run.error:
                raise job_run.error
            store.push((each.stage, str(each.key)) for each in job_run.outcomes)
        return job_run.outcomes

    def list_artifacts(self) -> set[str]:
        """Return the digests of the artifacts that are in the store."""
        return {path.name for path in (self.root / "artifacts").iterdir() if path.is_dir()}


def summarize(outcomes: Sequence[Outcome]) -> list[tuple[str, str, bool]]:
    """Return the stage and the outcome of each step, and whether it was pulled."""
    return [(each.stage, each.outcome, each.reason.startswith("pulled from ")) for each in outcomes]


def copy_level(level: Path, place: Path) -> Path:
    """Copy the folder of a level, for a test to change."""
    shutil.copytree(level, place)
    return place
