"""Tests of every command that builds nothing, without PyTorch, on every recipe whose checkpoint exists."""

import json
import shutil
import subprocess
from itertools import pairwise

import pytest

from tests.workshop import ROOT, SHIPPED, UNMEASURED, Workshop

pytestmark = pytest.mark.slow

NANO = [name for name in SHIPPED if name.startswith("nano-") and name != "nano-cpu"]
VARIANTS = [f"nano-cpu@{name}" for name in ("fp32", "int8-32", "int8-128", "channel", "int4-32", "mixed", "fitted")]
FITTED = {"nano-cpu-int4-gptq", "nano-cpu-small", "nano-cpu-best", "nano-cpu-fast", "nano-vnni-fast", "nano-cpu@fitted"}
BATCH = ROOT / "tests/bare/batch.py"

Found = list[tuple[int, str, str]]
"""The exit code, stdout and stderr of each command."""


def run_batch(shop: Workshop, lines: list[list[str]]) -> tuple[Found, set[str]]:
    """Run command lines in one process; return their results and the packages that they imported."""
    done = subprocess.run(
        [shop.python, str(BATCH)], cwd=shop.folder, input=json.dumps(lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return [(code, written, messages) for code, written, messages in answer["found"]], set(answer["imported"])


@pytest.fixture(scope="module")
def planned(shop: Workshop) -> Found:
    return run_batch(shop, [["plan", name, "--json"] for name in (*NANO, *VARIANTS)])[0]


@pytest.mark.parametrize("name", [*NANO, *VARIANTS])
def test_plan_says_of_each_step_whether_it_can_run(planned: Found, name: str) -> None:
    code, written, messages = planned[[*NANO, *VARIANTS].index(name)]
    assert (code, messages) == (0, "")
    steps = {step["stage"]: step for step in json.loads(written)["steps"]}
    cannot = {stage for stage, step in steps.items() if step["verdict"] == "cannot run"}
    wanted = {"reference", "verify", "benchmark"} & set(steps)  # a recipe for a GPU is not timed
    assert cannot == wanted | ({"calibrate", "quantize"} if name in FITTED else set())
    assert len(wanted) > 1
    assert all(steps[stage]["key"] is None for stage in cannot)
    assert steps["reference"]["reason"] == "needs `torch` and `transformers`, which are not installed"


def test_plan_as_text_has_the_verdict_the_reason_and_below_it_the_way_on(shop: Workshop) -> None:
    done = shop.run("plan", "nano-cpu-int4-gptq")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[3:] == [
        "cannot run calibrate needs `torch` and `transformers`, which are not installed",
        "cannot run quantize needs `statistics`, which cannot be made",
        "cannot run reference needs `torch` and `transformers`, which are not installed",
        "cannot run verify needs `package` and `reference`, which cannot be made",
        "cannot run benchmark needs `torch` and `transformers`, which are not installed",
    ]
    assert done.stderr.splitlines()[-1] == (
        "nano-cpu-int4-gptq: `calibrate`, `reference` and `benchmark` need `torch` and `transformers`, which are not "
        "installed, so `quantize` and `verify` cannot run either; run `pip install 'gpt2forge[torch]'` and build"
    )


def test_every_reading_command_works_on_every_recipe_and_imports_no_model_code(shop: Workshop) -> None:
    names = [*NANO, *VARIANTS]
    lines = [
        *(["why", name] for name in names),
        *(["recipe", "show", name, "--origin"] for name in names),
        *(["diff", one, other] for one, other in pairwise(names)),
        *(["schema"], ["schema", "--settings"]),
    ]
    found, imported = run_batch(shop, lines)
    failed = [(words, messages) for words, (code, _, messages) in zip(lines, found, strict=True) if code or messages]
    assert failed == []
    assert not imported & {"numpy", "onnx", "onnxruntime"}
    shared = [
        written.splitlines()[-1] for words, (_, written, _) in zip(lines, found, strict=True) if words[0] == "diff"
    ]
    assert shared[0] == "shared steps: convert, export, fuse, reference"


def test_why_says_that_a_step_cannot_run(published: Workshop) -> None:
    lines = published.run("why", "nano-cpu-int4-gptq").stdout.splitlines()
    assert lines[3] == "cannot run  calibrate   needs `torch` and `transformers`, which are not installed"
    assert lines[4].startswith(
        "cannot run  quantize    needs `statistics`, which cannot be made; compared with the build of 20"
    )
    assert {"quantization.method", "quantization.smooth"} <= {line.split()[0] for line in lines[5:-3]}


def test_generate_copy_and_inspect_work(published: Workshop) -> None:
    weights = json.loads((published.folder / "build/nano-cpu-int8.json").read_text())["steps"][0]["digest"]
    pickled = published.folder / "pickled"
    pickled.mkdir()
    for path in (published.store / "artifacts" / weights).iterdir():
        shutil.copyfile(path, pickled / path.name.replace("model.safetensors", "pytorch_model.bin"))
    folders = ["examples/nano", "build/nano-cpu-int8", "shipped", f"cache/artifacts/{weights}", "pickled"]
    words = ["-p", "def __init__(self,", "-n", "4", "-t", "0"]
    lines = [
        ["generate", "nano-cpu-int8", *words],
        ["copy", "nano-cpu-int8", "shipped"],
        ["generate", "./shipped", *words],
        *(["inspect", folder, "--json"] for folder in folders),
    ]
    ((*found, refused), _) = run_batch(published, lines)
    assert [code for code, _, _ in found] == [0] * 7
    first, _, again, *inspected = (written for _, written, _ in found)
    assert first == again != "def __init__(self,\n"
    tf1, package, copied, converted = map(json.loads, inspected)
    assert refused[0] == 1
    assert refused[2].startswith(
        "error: pickled/pytorch_model.bin: is read with PyTorch, which is not installed: pip install"
    )
    assert (tf1["layout"], converted["layout"]) == ("tf1", "huggingface")
    assert package == copied
    assert package["tensors"]


def test_store_is_looked_after(published: Workshop) -> None:
    found, _ = run_batch(published, [["store", "ls"], ["store", "verify"], ["store", "gc", "--dry-run"]])
    assert [code for code, _, _ in found] == [0, 0, 0]
    assert "nano-cpu-int8" in found[0][1] and "(published)" in found[0][1]


def test_compare_without_measuring_builds_what_is_missing(published: Workshop) -> None:
    words = ("compare", "nano-cpu-int8", "nano-cpu@int8-128", *UNMEASURED, "--json")
    reports = json.loads(published.run(*words).stdout)["reports"]
    assert [report["bytes"]["package"] for report in reports] == [reports[0]["bytes"]["package"]] * 2


def test_compare_of_what_was_never_built_says_what_to_install_and_builds_nothing(published: Workshop) -> None:
    made = sorted(path.name for path in (published.store / "records/quantize").iterdir())
    done = published.run("compare", "nano-cpu-fp32", "nano-cpu-int4-gptq", "nano-vnni-int8", code=1)
    need = "need `torch` and `transformers`, which are not installed"
    install = "run `pip install 'gpt2forge[torch]'` and compare again"
    assert done.stderr.splitlines() == [
        f"error: nano-cpu-fp32, nano-vnni-int8: `reference` and `benchmark` {need}, so `verify` cannot run either; "
        f"{install}, or compare without measuring: `--skip verify,benchmark`",
        f"error: nano-cpu-int4-gptq: `calibrate`, `reference` and `benchmark` {need}, so `quantize` and `verify` "
        f"cannot run either; {install}",
    ]
    assert sorted(path.name for path in (published.store / "records/quantize").iterdir()) == made
