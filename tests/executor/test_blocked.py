"""Jobs of which some steps cannot run, because a tool is not installed."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.executor.events import Event, StepFinished
from gpt2forge.executor.job_run import Track
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Means
from gpt2forge.executor.run import Options, run_tracks
from gpt2forge.plan.blocked import StepsBlocked
from gpt2forge.plan.job import Job
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store
from tests.plan.test_blocked import NEEDS_IT, add_tool, block
from tests.toy import gather, pack, repeat
from tests.toy.job import make_job, words

MEASURE = Stage("measure", None, (), ("text",), "numbers", (), 1, gather.run, optional=True)
"""Is never run here."""


def run_all(
    tracks: list[Track], store: Store, lanes: int = 2, keep_going: bool = False, rerun: str | None = None
) -> list[Event]:
    events: list[Event] = []
    run_tracks(tracks, store, events.append, Options(Means(lanes, 1 << 40), rerun, keep_going))
    return events


def end_in(job: Job, *stages: Stage) -> Job:
    """The job with other stages behind its first two."""
    return replace(job, stages=(gather.STAGE, repeat.STAGE, *stages))


def test_every_other_step_is_made_and_the_error_comes_last(store: Store, source: Path) -> None:
    finished: list[Track] = []
    measured = end_in(make_job(source), add_tool(MEASURE), pack.STAGE)
    track = Track(measured, finish=finished.append)
    events = run_all([track], store)
    assert [(each.stage, each.outcome) for each in track.outcomes] == [
        ("gather", "built"),
        ("repeat", "built"),
        ("measure", "skipped"),
        ("pack", "built"),
    ]
    last = [event.outcome for event in events if isinstance(event, StepFinished)][-1]
    assert last == Outcome("measure", "skipped", NEEDS_IT)
    assert isinstance(track.error, StepsBlocked)
    assert track.error.skip == {"measure"}
    assert (track.is_open, finished) == (False, [])


def test_what_was_made_is_reused(store: Store, source: Path) -> None:
    for outcomes in (["built", "built", "skipped"], ["reused", "reused", "skipped"]):
        track = Track(block(make_job(source), "pack"))
        run_all([track], store)
        assert words(track.outcomes) == outcomes
        assert isinstance(track.error, StepsBlocked)
    assert store.records.list("pack") == []


def test_steps_that_read_what_is_not_made_are_left_out_too(store: Store, source: Path) -> None:
    track = Track(block(make_job(source), "gather"))
    run_all([track], store)
    assert [(each.outcome, each.reason) for each in track.outcomes] == [
        ("skipped", NEEDS_IT),
        ("skipped", "needs `text`, which cannot be made"),
        ("skipped", "needs `text`, which cannot be made"),
    ]
    assert not (store.root / "records").exists()


@pytest.mark.parametrize("lanes", [1, 2])
def test_it_ends_no_other_job(store: Store, source: Path, lanes: int) -> None:
    tracks = [Track(block(make_job(source), "repeat")), Track(make_job(source))]
    run_all(tracks, store, lanes)
    assert words(tracks[0].outcomes) == ["built", "skipped", "skipped"]
    assert isinstance(tracks[0].error, StepsBlocked)
    assert words(tracks[1].outcomes) == ["reused", "built", "built"]
    assert tracks[1].error is None


def test_failure_goes_before_it(store: Store, source: Path) -> None:
    track = Track(end_in(make_job(source, end="fault"), add_tool(MEASURE), pack.STAGE))
    run_all([track], store)
    assert str(track.error) == "here: the text is bad; write a better one"
    assert words(track.outcomes) == ["built", "failed"]


def test_run_that_ends_before_it_is_whole(store: Store, source: Path) -> None:
    track = Track(block(make_job(source), "pack"), until="repeat")
    run_all([track], store)
    assert (words(track.outcomes), track.error) == (["built", "built"], None)


@pytest.mark.parametrize(
    ("until", "rerun", "can_skip"),
    [(None, None, True), (None, "repeat", True), (None, "measure", False), ("measure", None, False)],
    ids=str,
)
def test_skip_is_offered_where_no_other_option_forbids_it(
    store: Store, source: Path, until: str | None, rerun: str | None, can_skip: bool
) -> None:
    track = Track(end_in(make_job(source), pack.STAGE, add_tool(MEASURE)), until=until)
    run_all([track], store, rerun=rerun)
    assert isinstance(track.error, StepsBlocked)
    assert track.error.can_skip is can_skip


def test_what_is_skipped_on_request_is_told_as_ever(store: Store, source: Path) -> None:
    job = replace(block(make_job(source), "pack"), skipped=(MEASURE,))
    track = Track(job)
    run_all([track], store)
    assert [(each.stage, each.reason) for each in track.outcomes][2:] == [
        ("pack", NEEDS_IT),
        ("measure", "asked for by `--skip`"),
    ]


def test_step_that_cannot_run_is_neither_admitted_nor_judged(store: Store, source: Path) -> None:
    seen: list[str] = []
    track = Track(
        block(make_job(source), "repeat"),
        judge=lambda outcome: seen.append(f"judge {outcome.stage}"),
        admit=lambda step: seen.append(f"admit {step.stage.name}"),
    )
    run_all([track], store)
    assert seen == ["admit gather", "judge gather"]
