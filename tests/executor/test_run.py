"""Steps that run, steps that are reused, and the state that a failure leaves."""

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event, StepAdvanced, StepFinished, StepStarted
from gpt2forge.executor.run import run_job
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.store.store import Store
from tests.toy import gather, nosy
from tests.toy.job import make_job, run, words

pytestmark = pytest.mark.slow


def test_first_run_builds_every_step_and_says_why(store: Store, source: Path) -> None:
    outcomes = run(make_job(source), store)
    assert words(outcomes) == ["built"] * 3
    assert [outcome.reason for outcome in outcomes] == ["not built before"] * 3
    assert (store.artifacts.folder(str(outcomes[-1].digest)) / "model.onnx").read_text() == "hellohello"


def test_second_run_runs_nothing(store: Store, source: Path) -> None:
    first = run(make_job(source), store)
    second = run(make_job(source), store)
    assert words(second) == ["reused"] * 3
    assert [outcome.digest for outcome in second] == [outcome.digest for outcome in first]
    assert [outcome.metrics for outcome in second] == [outcome.metrics for outcome in first]


def test_changed_section_reruns_its_stage_and_what_follows(store: Store, source: Path) -> None:
    run(make_job(source), store)
    outcomes = run(make_job(source, times=3), store)
    assert words(outcomes) == ["reused", "built", "built"]
    assert outcomes[1].reason == "`repetition.times` 2 -> 3"
    assert outcomes[2].reason == "text changed"


def test_unchanged_section_is_reused_when_an_earlier_value_comes_back(store: Store, source: Path) -> None:
    for times in (2, 3):
        run(make_job(source, times=times), store)
    assert words(run(make_job(source, times=2), store)) == ["reused"] * 3


def test_one_changed_byte_of_the_source_reruns_everything(store: Store, source: Path) -> None:
    run(make_job(source), store)
    # gather strips the text, so its text is equal, but a package must never name another source.
    (source / "a").write_text("hello\n")
    outcomes = run(make_job(source), store)
    assert words(outcomes) == ["built"] * 3
    assert outcomes[0].reason == "checkpoint changed: `a`"
    (source / "a").write_text("hello ")
    assert words(run(make_job(source), store)) == ["reused"] * 3


def test_step_whose_input_is_made_again_unchanged_is_reused(store: Store, source: Path) -> None:
    run(make_job(source), store)
    outcomes = run(make_job(source), store, rerun="gather")
    assert words(outcomes) == ["built", "reused", "reused"]
    assert outcomes[0].reason == "asked for by `--rerun`"


def test_value_of_the_target_that_no_stage_reads_reruns_nothing(store: Store, source: Path) -> None:
    run(make_job(source), store)
    assert words(run(make_job(source, cpu="vnni"), store)) == ["reused"] * 3


def test_until_stops_behind_that_stage(store: Store, source: Path) -> None:
    assert words(run(make_job(source), store, until="repeat")) == ["built", "built"]


def test_unknown_stage_is_one_line(store: Store, source: Path) -> None:
    with pytest.raises(UserError) as error:
        run(make_job(source), store, rerun="fuze")
    assert str(error.value) == "`--rerun fuze`: `toy` has no such stage; there are `gather`, `repeat`, `pack`"


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        ("fault", UserError, "here: the text is bad; write a better one"),
        ("crash", StageCrash, "`repeat` failed inside gpt2forge: ValueError: a bug; its log is `{log}`"),
        (
            "kill",
            UserError,
            "`repeat` was killed by SIGKILL; with enough free memory, build again to go on from the last good step",
        ),
        (
            "full",
            UserError,
            "{out}/text: No space left on device; fix this and run again; finished steps are kept",
        ),
    ],
)
def test_failure_leaves_no_artifact_and_the_next_run_goes_on(
    store: Store, source: Path, end: str, kind: type[Exception], message: str
) -> None:
    job = make_job(source, end=end)
    done = run_job(job, store, lambda event: None)
    outcomes, error = done.outcomes, done.error
    assert type(error) is kind
    assert words(outcomes) == ["built", "failed"]
    key = str(outcomes[1].key)
    out = store.root / "making" / key
    assert str(error) == message.format(log=store.log("repeat", key), out=out)
    assert not out.exists()
    assert store.find("repeat", key) is None
    assert words(run(make_job(source), store)) == ["reused", "built", "built"]


def test_file_that_appears_in_a_source_while_it_is_read_is_an_error(store: Store, source: Path) -> None:
    job = make_job(source)

    def add_file(event: Event) -> None:
        if isinstance(event, StepStarted):
            (source / "b").write_text("late")

    error = run_job(job, store, add_file).error
    assert isinstance(error, UserError)
    assert str(error) == f"{source}: changed while it was being read; build again when nothing writes to it"
    assert words(run(make_job(source), store)) == ["built"] * 3


def test_source_that_changes_and_changes_back_while_it_is_read_is_an_error(store: Store, source: Path) -> None:
    job = make_job(source)
    events: list[Event] = []

    def change(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepStarted):
            for text in ("HELLO ", "hello "):
                (source / "a").write_text(text)

    error = run_job(job, store, change).error
    assert isinstance(error, UserError)
    assert str(error).endswith("changed while it was being read; build again when nothing writes to it")
    assert store.records.list("gather") == []
    assert words(run(make_job(source), store)) == ["built"] * 3


def test_worker_that_dies_at_once_is_named(store: Store, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StageCrash, match="`gather` failed inside gpt2forge: exit code 1; its log is "):
        run(make_job(source), store)


def test_stage_cannot_read_of_the_target_what_its_key_lacks(store: Store, source: Path) -> None:
    job = replace(make_job(source), stages=(gather.STAGE, nosy.STAGE))
    with pytest.raises(StageCrash, match="has no attribute 'device'"):
        run(job, store)


def test_log_of_a_crash_holds_its_traceback(store: Store, source: Path) -> None:
    with pytest.raises(StageCrash):
        run(make_job(source, end="crash"), store)
    (log,) = (store.root / "logs").glob("repeat-*.log")
    assert "ValueError: a bug" in log.read_text()


def test_memory_of_a_step_is_measured(store: Store, source: Path) -> None:
    outcomes = run(make_job(source, upper=True), store)
    assert outcomes[2].peak_memory_bytes - outcomes[1].peak_memory_bytes > 50 << 20


def test_events_follow_each_step_from_start_to_end(store: Store, source: Path) -> None:
    events: list[Event] = []
    run_job(make_job(source), store, events.append)
    kinds = [type(event) for event in events if not (isinstance(event, StepAdvanced) and event.stage == "checkpoint")]
    assert kinds == [StepStarted, StepFinished, StepStarted, StepAdvanced, StepFinished, StepStarted, StepFinished]


def test_two_builds_at_once_make_every_step_once(tmp_path: Path, source: Path) -> None:
    make_job(source)
    program = (
        "import sys; from pathlib import Path; from tests.toy.job import *; "
        f"print(*words(run(make_job(Path({str(source)!r})), Store(Path({str(tmp_path / 'cache')!r})))))"
    )
    builds = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [build.communicate()[0].split() for build in builds]
    assert [build.returncode for build in builds] == [0, 0, 0]
    for step in range(3):
        assert sorted(words[step] for words in outputs) == ["built", "reused", "reused"]


def test_killed_build_takes_its_worker_along_and_the_next_one_goes_on(tmp_path: Path, source: Path) -> None:
    cache = tmp_path / "cache"
    make_job(source)
    program = (
        "from pathlib import Path; from tests.toy.job import *; "
        f"run(make_job(Path({str(source)!r}), end='sleep'), Store(Path({str(cache)!r})))"
    )
    build = subprocess.Popen([sys.executable, "-c", program])
    asleep: list[Path] = []
    for _ in range(500):
        asleep = [path for path in cache.glob("making/*/asleep") if path.read_text()]
        if asleep:
            break
        time.sleep(0.02)
    worker = int(asleep[0].read_text())
    build.kill()
    build.wait()
    for _ in range(250):
        if not alive(worker):
            break
        time.sleep(0.02)
    assert not alive(worker)
    assert words(run(make_job(source), Store(cache))) == ["reused", "built", "built"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" if Path("/proc").is_dir() else True
    )


def test_damaged_artifact_is_put_aside_and_made_again(store: Store, source: Path) -> None:
    outcomes = run(make_job(source), store)
    text = store.artifacts.folder(str(outcomes[1].digest)) / "text"
    text.chmod(0o644)
    text.write_text("HELLOHELLO"[:10])
    again = run(make_job(source), store)
    assert words(again) == ["reused", "built", "reused"]
    assert again[1].reason == "its artifact is gone or damaged"
    assert again[1].digest == outcomes[1].digest
    assert len(list((store.root / "damaged").iterdir())) == 1


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the version of the distribution `made-up`, by its metadata."""

    def install(version: str) -> None:
        metadata = tmp_path / f"{version}/made_up-{version}.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: made-up\nVersion: {version}\n")
        monkeypatch.syspath_prepend(metadata.parents[1])

    return install


@pytest.mark.parametrize("stage", ["repeat", "pack"])
def test_step_that_is_rerun_keeps_nothing_of_an_earlier_version(
    store: Store, source: Path, upgrade: Callable[[str], None], stage: str
) -> None:
    job = make_job(source)
    stages = tuple(replace(each, tools=("made-up",)) if each.name == stage else each for each in job.stages)
    job = replace(job, stages=stages, assumed=("made-up",))
    place = [each.name for each in stages].index(stage)
    upgrade("1.0")
    run(job, store)
    upgrade("2.0")
    assert run(job, store)[place].reason == "kept: made-up 1.0 -> 2.0 is assumed equivalent"
    rerun = run(job, store, rerun=stage)[place]
    assert (rerun.outcome, rerun.reason) == ("built", "asked for by `--rerun`")
    assert run(job, store)[place].reason == ""


def test_run_leaves_no_file_open(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run(make_job(tmp_path / "source"), Store(tmp_path / "cache"))
    assert [str(each.message) for each in found if each.category is ResourceWarning] == []
