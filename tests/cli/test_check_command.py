"""`gpt2forge check` on a real recipe."""

import json

import pytest

from gpt2forge.cli import check_command as check
from gpt2forge.cli import program
from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.job import Job
from tests.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["nano-vnni-int8", "nano-cpu-int4"])  # per channel and in blocks
@pytest.mark.usefixtures("all_processors")
def test_same_comes_out_with_one_thread_as_with_several(workshop: Workshop, name: str) -> None:
    before = sorted(path.name for path in workshop.folder.iterdir())
    found = json.loads(workshop.run("check", name, "--json").stdout)
    assert [step["stage"] for step in found["steps"]] == ["convert", "export", "fuse", "quantize"]
    assert found["different"] == []
    assert all(one == other for one, other in (step["digests"] for step in found["steps"]))
    assert sorted(path.name for path in workshop.folder.iterdir()) == before


def test_difference_is_named_and_is_an_error(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stage of ours differs from run to run, so two different jobs, with a store, stand for the two builds."""
    monkeypatch.chdir(workshop.folder)
    jobs = iter(["", "quantization.granularity=32"])

    def build(job: Job) -> list[Outcome]:
        change = next(jobs)
        other = check.make_job(check.load_recipe("nano-cpu-int8", [change], "x"), check.MEASURING) if change else job
        return check.run_job(other, check.Store(workshop.store), lambda event: None).outcomes

    monkeypatch.setattr(check, "build_from_nothing", build)
    assert program.run(["check", "nano-cpu-int8"]) == 1
    said = capsys.readouterr()
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["same", "convert"],
        ["same", "export"],
        ["same", "fuse"],
        ["DIFFERENT", "quantize"],
    ]
    assert said.err.splitlines()[-1] == "error: nano-cpu-int8: two builds differ in `quantize`"
