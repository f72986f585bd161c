"""benchmark in a real build."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("torch")

from gpt2forge.executor.machine_lock import hold_machine_lock
from gpt2forge.measure.host import describe_host
from gpt2forge.measure.speed import count_read_bytes
from tests.workshop import LITTLE, UNMEASURED, Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(measured: Workshop) -> dict[str, Any]:
    return measured.prove("nano-cpu-int8")


def test_times_stand_beside_pytorch_with_their_spread(report: dict[str, Any]) -> None:
    found = report["benchmark"]
    for name in ("prefill_ms", "token_ms", "prefill_ms_reference", "token_ms_reference"):
        least, largest = found["spread"][name]
        assert 0 < least <= found[name] <= largest
    assert found["rounds"] == 3
    assert found["host"] == describe_host()
    assert found["load_s"] > 0


def test_memory_is_the_packages_alone_and_the_limit_is_its_bytes_at_the_speed_of_memory(
    measured: Workshop, report: dict[str, Any]
) -> None:
    found = report["benchmark"]
    assert 10e6 < found["peak_memory_bytes"] < found["peak_memory_bytes_reference"]
    assert found["mapped_memory_bytes"] > 0
    size = count_read_bytes(measured.folder / report["output"])
    assert found["bandwidth_limit_ms"] == pytest.approx(size / found["bandwidth_gb_s"] / 1e6)
    assert found["bandwidth_limit_share"] == pytest.approx(found["bandwidth_limit_ms"] / found["token_ms"])


def test_prompt_that_does_not_fit_is_one_line(measured: Workshop) -> None:
    words = ("--set", "benchmark.new_tokens=200", "--name", "long")
    done = measured.run("build", "nano-cpu-int8", *words, code=1, measured=True)
    lines = done.stderr.splitlines()
    assert lines[-1] == (
        "error: --set benchmark.new_tokens=200: `benchmark`: 64 prompt tokens and 200 new ones are more than this "
        "model's 256; lower `new_tokens`"
    )
    assert not any("reference" in line for line in lines)  # told before anything long begins
    measured.run("build", "nano-cpu-int8", *words, "--skip", "verify,benchmark")


def test_rerun_measures_anew_when_no_other_benchmark_runs_on_the_machine(
    measured: Workshop, report: dict[str, Any]
) -> None:
    command = [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", "--name", "nano-cpu-int8-proven", *LITTLE]
    with hold_machine_lock(lambda: None):
        waiting = subprocess.Popen(
            [*command, "--rerun", "benchmark", "--json"], cwd=measured.folder, stdout=subprocess.PIPE, text=True
        )
        assert waiting.stdout is not None
        while '"step_waiting"' not in (line := waiting.stdout.readline()):
            assert line
        assert '"another measurement on this machine"' in line
        assert waiting.poll() is None
    rest = waiting.stdout.read()
    assert waiting.wait() == 0
    assert '"step_started", "stage": "benchmark"' in rest
    again = json.loads(rest.splitlines()[-1])["report"]
    assert [step["stage"] for step in again["steps"] if step["outcome"] == "built"] == ["benchmark"]
    assert again["benchmark"]["token_ms"] != report["benchmark"]["token_ms"]


def test_skipped_measurements_are_said_and_the_rest_is_published(measured: Workshop) -> None:
    report = measured.report("nano-cpu-int8", "--set", "quantization.granularity=64", "--name", "skipping")
    skipped = {step["stage"]: step["reason"] for step in report["steps"] if step["outcome"] == "skipped"}
    assert skipped == dict.fromkeys(("reference", "verify", "benchmark"), "asked for by `--skip`")
    assert report["verify"] is report["benchmark"] is None
    assert (measured.folder / "build/skipping/model.onnx").is_file()
    assert UNMEASURED == ("--skip", "verify,benchmark")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("fuse", "`--skip fuse`: only `reference`, `verify`, `benchmark` can be skipped"),
        ("verify,benchmark --until verify", "`--until verify`: `verify` is skipped; leave out one of the two options"),
        (
            "benchmark --rerun benchmark",
            "`--rerun benchmark`: `benchmark` is skipped; leave out one of the two options",
        ),
        (
            "benchmark --rerun verify --until fuse",
            "`--rerun verify`: comes after `--until fuse`, where the run ends; leave out one of the two options",
        ),
        (
            "verify --rerun nosuch --skip benchmark",
            "`--rerun nosuch`: `nano-cpu-int8` has no such stage; there are `convert`, `export`, `fuse`, `quantize`",
        ),
        ("reference", "`--skip reference`: `verify` needs it; skip `verify`, which skips both"),
    ],
)
def test_words_that_contradict_are_said_and_the_report_stays(measured: Workshop, stages: str, message: str) -> None:
    measured.build("nano-cpu-int8")
    before = (measured.folder / "build/nano-cpu-int8.json").read_bytes()
    done = measured.run("build", "nano-cpu-int8", "--skip", *stages.split(), code=1, measured=True)
    assert done.stderr == f"error: {message}\n"
    assert (measured.folder / "build/nano-cpu-int8.json").read_bytes() == before
