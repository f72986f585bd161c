"""Steps whose tools are not installed: their verdicts in a plan, and the fix in the message."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.cli.plan_command import sum_up
from gpt2forge.plan.blocked import Block, StepsBlocked, find_block, format_blocked, list_blocks
from gpt2forge.plan.from_recipe import make_job as make_recipe_job
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key
from gpt2forge.plan.plan import PlannedStep, make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.plan.tools import find_versions
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store
from tests.plan.pretend import pretend
from tests.store.memory import make_memory_store
from tests.toy import gather, pack, repeat
from tests.toy.job import make_job, run
from tests.workshop import ROOT

NO_TOOL = "no-such-distribution"
NEEDS_IT = f"needs `{NO_TOOL}`, which is not installed"


def block(job: Job, name: str) -> Job:
    """Return the job with a stage that also needs a tool that is not installed."""
    return replace(job, stages=tuple(add_tool(stage) if stage.name == name else stage for stage in job.stages))


def add_tool(stage: Stage) -> Stage:
    return replace(stage, tools=(*stage.tools, NO_TOOL))


def plan(job: Job, store: Store, rerun: str | None = None) -> tuple[PlannedStep, ...]:
    return make_plan(job, Readings(store), lambda done, total, unit: None, rerun=rerun).steps


def list_verdicts(job: Job, store: Store) -> list[tuple[str, str]]:
    return [(step.verdict, step.reason) for step in plan(job, store)]


@pytest.fixture
def store() -> Store:
    return make_memory_store()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path / "source")


def test_step_without_its_tool_cannot_run_and_neither_can_those_that_read_it(store: Store, job: Job) -> None:
    assert list_verdicts(block(job, "repeat"), store) == [
        ("will run", "not built before"),
        ("cannot run", NEEDS_IT),
        ("cannot run", "needs `text`, which cannot be made"),
    ]


def test_steps_before_a_blocked_one_are_done(store: Store, job: Job) -> None:
    pretend(job, store)
    assert [verdict for verdict, _ in list_verdicts(block(job, "pack"), store)] == ["done", "done", "cannot run"]


def test_pre_image_holds_null_for_the_missing_version_and_there_is_no_key(store: Store, job: Job) -> None:
    step = plan(block(job, "gather"), store)[0]
    assert step.pre_image["tools"] == {**find_versions(gather.STAGE), NO_TOOL: None}
    assert (step.key, step.digest, step.to_json()["key"]) == (None, None, None)


def test_record_under_the_key_of_a_missing_version_is_not_used(store: Store, job: Job) -> None:
    made = pretend(job, store)
    blocked = block(job, "gather")
    pre_image = plan(blocked, store)[0].pre_image
    record = Record(
        key=make_key(pre_image),
        stage="gather",
        pre_image=pre_image,
        digest=made[0].digest,
        metrics={},
        seconds=1.0,
        peak_memory_bytes=1,
        created=time.time(),
    )
    store.records.write(record)
    assert store.find("gather", record.key) == record
    assert list_verdicts(blocked, store)[0] == ("cannot run", NEEDS_IT)


def test_no_evicted_artifact_is_made_again_for_a_step_that_cannot_run(store: Store, job: Job) -> None:
    last = replace(pack.STAGE, writes="numbers")  # not a package, which would be made again in any case
    job = replace(job, stages=(gather.STAGE, repeat.STAGE, last))
    for record in pretend(replace(job, stages=job.stages[:2]), store):
        store.artifacts.evict(record.digest)
    assert [step.verdict for step in plan(job, store)] == ["will run", "will run", "will run"]
    for rerun in (None, "pack"):
        assert [step.verdict for step in plan(block(job, "pack"), store, rerun)] == ["done", "done", "cannot run"]


def test_missing_tool_is_the_reason_even_where_an_input_is_missing_too(job: Job) -> None:
    found = list_blocks(block(block(job, "repeat"), "pack"))
    assert [each.reason for each in found] == [NEEDS_IT, NEEDS_IT]
    assert found[1].inputs == ("text",)


def test_versions_of_all_tools_block_nothing(job: Job) -> None:
    assert list_blocks(job) == []
    assert find_block(job, job.stages[0], versions={"numpy": "1", "onnx": "2"}, blocked=()) is None


TORCH = ("torch", "transformers")
NEED = "need `torch` and `transformers`, which are not installed"
INSTALL = "run `pip install 'gpt2forge[torch]'` and build again"


def block_recipe(name: str, *skip: str, can_skip: bool = True) -> StepsBlocked:
    """Return the error that ends a shipped recipe where PyTorch is not installed."""
    job = make_recipe_job(load_recipe(name), skip)
    found: dict[str, Block] = {}
    for stage in job.stages:
        each = find_block(job, stage, versions={tool: None for tool in stage.tools if tool in TORCH}, blocked=found)
        if each:
            found[stage.name] = each
    return StepsBlocked(job, list(found.values()), can_skip)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_message_says_which_steps_need_what_and_what_to_do() -> None:
    assert str(block_recipe("nano-cpu-int8")) == (
        f"nano-cpu-int8: `reference` and `benchmark` {NEED}, so `verify` cannot run either; {INSTALL}, "
        "or publish without measuring: `--skip verify,benchmark`"
    )


def test_skip_is_offered_only_where_every_step_may_be_skipped() -> None:
    assert str(block_recipe("nano-cpu-int4-gptq")) == (
        f"nano-cpu-int4-gptq: `calibrate`, `reference` and `benchmark` {NEED}, "
        f"so `quantize` and `verify` cannot run either; {INSTALL}"
    )
    assert not block_recipe("nano-cpu-int4-gptq", "verify", "benchmark").skip
    assert not block_recipe("nano-cpu-int8", can_skip=False).skip


@pytest.mark.parametrize(
    ("skipped", "named"), [("benchmark", "verify,benchmark"), ("verify", "verify,benchmark")], ids=str
)
def test_skip_names_what_is_skipped_already_too(skipped: str, named: str) -> None:
    assert str(block_recipe("nano-cpu-int8", skipped)).endswith(f"measuring: `--skip {named}`")


def test_skip_names_only_what_the_recipe_has(tmp_path: Path) -> None:
    path = tmp_path / "timed.yaml"
    text = f"name: timed\nextends: {ROOT}/recipes/nano-cpu-int8.yaml\nverify: null\n"
    path.write_text(text)
    assert str(block_recipe(str(path))).endswith("or publish without measuring: `--skip benchmark`")


def test_recipes_that_lack_the_same_are_one_line() -> None:
    errors = [block_recipe(name) for name in ("nano-cpu-int8", "nano-cpu-int4-gptq", "nano-cpu-int4")]
    first, second = format_blocked(errors).splitlines()
    assert first == str(errors[0]).replace("nano-cpu-int8:", "nano-cpu-int8, nano-cpu-int4:")
    assert second == str(errors[1])


def test_single_tool_and_single_step_are_in_the_singular(job: Job) -> None:
    assert str(StepsBlocked(job, list_blocks(block(job, "pack")))) == (
        f"toy: `pack` needs `{NO_TOOL}`, which is not installed; run `pip install gpt2forge` and build again"
    )


def test_steps_that_need_different_tools_are_listed_apart(job: Job) -> None:
    blocks = [Block(gather.STAGE, ("torch",)), Block(pack.STAGE, ("onnx",), ("text",))]
    assert str(StepsBlocked(job, blocks)) == (
        "toy: `gather` needs `torch` and `pack` needs `onnx`, which are not installed; "
        "run `pip install 'gpt2forge[torch]'` and build again"
    )


@pytest.fixture
def installed_once(tmp_path: Path, store: Store, job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a job that ran while its tool was installed, by the metadata; now it is not installed."""
    metadata = tmp_path / f"packages/{NO_TOOL.replace('-', '_')}-1.0.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {NO_TOOL}\nVersion: 1.0\n")
    job = block(job, "repeat")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(metadata.parents[1])
        pretend(job, store)
    return job


def test_what_was_made_with_a_tool_is_kept_without_it_only_where_the_user_says_so(
    store: Store, installed_once: Job
) -> None:
    assert [verdict for verdict, _ in list_verdicts(installed_once, store)] == ["done", "cannot run", "cannot run"]
    assuming = replace(installed_once, assumed=(NO_TOOL,))
    reason = f"kept: {NO_TOOL} 1.0 -> not installed is assumed equivalent"
    assert list_verdicts(assuming, store) == [("done", ""), ("done", reason), ("done", "")]
    outcomes = run(assuming, store)
    assert [(each.outcome, each.reason) for each in outcomes] == [("reused", ""), ("reused", reason), ("reused", "")]


def test_nothing_is_kept_of_what_was_made_with_other_values(tmp_path: Path, store: Store, installed_once: Job) -> None:
    other = replace(installed_once, sections=make_job(tmp_path / "source", times=3).sections, assumed=(NO_TOOL,))
    assert [verdict for verdict, _ in list_verdicts(other, store)] == ["done", "cannot run", "cannot run"]


def test_nothing_is_kept_of_what_was_made_of_an_input_more(store: Store, installed_once: Job) -> None:
    stages = [replace(stage, reads=()) if stage.name == "repeat" else stage for stage in installed_once.stages]
    other = replace(installed_once, stages=tuple(stages), assumed=(NO_TOOL,))
    assert [verdict for verdict, _ in list_verdicts(other, store)] == ["done", "cannot run", "cannot run"]


def test_plan_names_the_option_that_keeps_an_artifact_of_a_tool(store: Store, installed_once: Job) -> None:
    lines = list(sum_up([(installed_once, plan(installed_once, store))]))
    assert lines == [
        f"toy: `repeat` needs `{NO_TOOL}`, which is not installed, so `pack` cannot run either; "
        "run `pip install gpt2forge` and build",
        f"`{NO_TOOL}`: `--assume-equivalent {NO_TOOL}` keeps what was made while they were installed",
    ]
