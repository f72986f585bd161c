"""The whole bench on the nano example, in small."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("torch")

from bench.__main__ import measure
from bench.document import compose_readme, print_results
from bench.plan import SHIPPED, Plan, Run
from bench.prepare import name_command
from bench.shapes import LARGE, NANO, Shape
from interop.tensorflow_process import NO_WHEEL, read_checkpoints

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "nano"
SYSTEMS = ("PyTorch fp32", "ours, fp32", "ours, int8 blocks of 128")
VARIANTS = ("fp32", "int8 blocks of 128")  # no fitted one: a calibration has tests of its own
RUNS = (Run(64, 5, 2), Run(16, 1, 2), Run(250, 8, 1), Run(16, 3, 1, 1), Run(16, 3, 1, 4))


class Little(Plan):
    """A plan whose builds verify less text than their recipes name, and more than the peers read."""

    def changes(self, variant: str) -> list[str]:
        limits = ("verify.tokens=8192", "verify.max_perplexity_increase=2%")
        words = super().changes(variant) or ["--name", self.name(variant)]
        return [*words, *(word for limit in limits for word in ("--set", limit))]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    work = tmp_path_factory.mktemp("work")
    return Little("nano", NANO, EXAMPLE, work, 2, 1, RUNS, systems=SYSTEMS, tokens=2048, variants=VARIANTS, patience=0)


@pytest.fixture(scope="module")
def peers(plan: Plan) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.peers.measure.PAUSE", 0)
        return measure({"nano": plan}, ["peers"], bandwidth_rows=256)


@pytest.fixture(scope="module")
def interrupted(plan: Plan) -> dict[str, Any]:
    """Return what a run has measured whose cold builds fail, because their model has no checkpoint."""
    kept: list[dict[str, Any]] = []
    lost = replace(plan, model="none", work=plan.work / "lost", checkpoint=plan.work / "none")
    measure({SHIPPED: lost, "nano": shrink(plan)}, ["builds", "variants"], 256, kept.append)
    assert len(kept) == 2
    return kept[-1]


@pytest.fixture(scope="module")
def results(plan: Plan, peers: dict[str, Any], interrupted: dict[str, Any]) -> dict[str, Any]:
    """Return the results of a run that goes on where the other was interrupted."""
    earlier = {name: value for name, value in interrupted.items() if name != "failed"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.builds.IDLE_ROUNDS", 1)
        plans, parts = {SHIPPED: plan, "nano": shrink(plan)}, ["builds", "fidelity", "variants"]
        rest = measure(plans, parts, bandwidth_rows=256, earlier=earlier)
    return {"command": "python -m bench", **rest, "peers": peers["peers"]}


def shrink(plan: Plan) -> Plan:
    return replace(plan, work=plan.work / "small", rounds=1)


def test_every_system_is_timed_by_length_and_float32_writes_what_pytorch_writes(peers: dict[str, Any]) -> None:
    systems = peers["peers"]["nano"]["systems"]
    assert list(systems) == list(SYSTEMS)
    assert [found["error"] for found in systems.values() if "error" in found] == []
    assert systems["ours, fp32"]["tokens_as_pytorch"] == [5, 5]
    for found in systems.values():
        assert {kind: list(found[kind]) for kind in ("prefill_ms", "token_ms", "tokens_s")} == {
            "prefill_ms": ["64", "16"],  # what does not fit the context of 256 is left out
            "token_ms": ["64"],
            "tokens_s": ["1", "4"],
        }
        assert found["prefill_ms"]["64"]["rounds"] == 2
        for spreads in (found["prefill_ms"], found["token_ms"], found["tokens_s"]):
            assert all(0 < spread["least"] <= spread["median"] <= spread["largest"] for spread in spreads.values())


def test_a_part_that_fails_costs_no_other(interrupted: dict[str, Any]) -> None:
    assert list(interrupted["failed"]) == ["builds from an empty store"]
    assert "none" in interrupted["failed"]["builds from an empty store"]
    assert list(interrupted["seconds"]) == ["variants"]


def test_an_interrupted_run_goes_on_with_what_it_lacks(results: dict[str, Any], interrupted: dict[str, Any]) -> None:
    assert results["variants"] is interrupted["variants"]
    assert list(results["seconds"]) == ["variants", "builds", "fidelity"]
    assert "failed" not in results


def test_every_system_is_made_held_and_read(peers: dict[str, Any]) -> None:
    systems = peers["peers"]["nano"]["systems"]
    for found in systems.values():
        assert found["seconds"] > 0 and found["peak_memory_bytes"] > 20_000_000 and found["memory_bytes"] > 20_000_000
        assert 0 < found["read_bytes"] <= found["bytes"]
    sizes = [systems[name]["read_bytes"] for name in SYSTEMS[1:]]
    assert sizes == sorted(sizes, reverse=True)


def test_fidelity_is_against_pytorch_of_the_same_run(peers: dict[str, Any]) -> None:
    told = {name: found["fidelity"] for name, found in peers["peers"]["nano"]["systems"].items()}
    assert told["PyTorch fp32"]["kl_mean"] < 1e-6
    assert told["ours, fp32"]["kl_mean"] < 1e-6
    assert told["ours, int8 blocks of 128"]["kl_mean"] > 1e-4


def test_our_builds_verify_the_same_fidelity_on_more_of_the_text(results: dict[str, Any]) -> None:
    told = results["peers"]["nano"]["systems"]["ours, int8 blocks of 128"]["fidelity"]
    assert told["kl_mean"] == pytest.approx(results["fidelity"]["int8 blocks of 128"]["kl_mean"], rel=0.3)
    assert list(results["fidelity"]) == list(VARIANTS)


def test_memory_is_seen_from_outside_and_told_by_the_report(results: dict[str, Any]) -> None:
    build = results["builds"]["nano-cpu-int8"]
    assert build["peak_memory_bytes"] > 20_000_000
    assert build["peak_memory_bytes_told"] > 20_000_000


def test_results_are_json_and_print_as_tables(results: dict[str, Any]) -> None:
    assert json.loads(json.dumps(results)) == results
    assert str(EXAMPLE.parents[1]) not in json.dumps(results["peers"])
    console = Console(record=True, width=200, file=None, quiet=False)
    with console.capture() as printed:
        print_results(console, results)
    for word in ("PyTorch fp32", "ours, int8 blocks of 128", "GB/s", "one command", "nano-cpu-int8", "at most"):
        assert word in printed.get()


def test_table_of_the_readme_has_a_row_for_every_system(results: dict[str, Any]) -> None:
    shipped = {**results, "peers": {SHIPPED: results["peers"]["nano"]}}
    lines, fidelity = (table.splitlines() for table in compose_readme(shipped).split("\n\n"))
    assert len(fidelity) == 2 + len(VARIANTS)
    assert fidelity[2].startswith("| `nano-cpu-fp32` | fp32 | 5.7 | ")
    assert len(lines) == 2 + 1 + 2
    assert len({line.count("|") for line in lines}) == 1
    assert lines[4].startswith(f"| `{SHIPPED}-cpu-int8` | int8 blocks of 128 | 2 | 31.2% | ")


@pytest.mark.skipif(bool(NO_WHEEL), reason=NO_WHEEL)
def test_a_synthetic_checkpoint_has_the_published_names_and_its_seed_decides_it(tmp_path: Path) -> None:
    shape = Shape(4096, 32, 16, 2, 2)
    seeds = {"a": "1", "b": "1", "c": "2"}
    made = [(*name_command(tmp_path / name, shape, EXAMPLE), "--seed", seed) for name, seed in seeds.items()]
    a, b, c = read_checkpoints(*(tmp_path / name for name in seeds), after=made)
    assert {name: values.shape for name, values in a.items()} == shape.tensors
    np.testing.assert_array_equal(a["model/h1/mlp/c_fc/w"], b["model/h1/mlp/c_fc/w"])
    assert not np.array_equal(a["model/wte"], c["model/wte"])
    assert a["model/wte"].std() == pytest.approx(0.02, rel=0.02)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_the_large_shape_is_the_published_one() -> None:
    assert LARGE.parameters == 774_030_080
    assert NANO.parameters == 1_350_400
