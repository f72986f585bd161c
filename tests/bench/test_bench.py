"""The whole bench on the nano example, in small."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from bench.__main__ import measure
from bench.checkpoint import make_checkpoint
from bench.goals import Verdict, judge
from bench.markdown import write_markdown
from bench.plan import VARIANTS, Plan
from bench.shapes import LARGE, NANO, Shape
from bench.tables import print_results

EXAMPLE = Path(__file__).parents[2] / "examples" / "nano"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("work")
    plan = Plan("nano", NANO, EXAMPLE, work, rounds=2, builds=1, prompt=20, new=5)
    small = Plan("nano", NANO, EXAMPLE, work / "nano", rounds=2, builds=1)
    return measure(plan, small, ["builds", "sizes", "speed", "fidelity", "variants"], bandwidth_rows=256)


def test_every_system_is_timed_and_float32_writes_what_pytorch_writes(results: dict[str, Any]) -> None:
    systems = results["speed"]["systems"]
    assert list(systems) == ["PyTorch fp32", *VARIANTS]
    assert systems["PyTorch fp32"]["token_ratio"] == 1.0
    assert systems["fp32"]["tokens_as_pytorch"] == 5
    for system in systems.values():
        for quantity in ("prefill_ms", "token_ms"):
            assert 0 < system[quantity]["least"] <= system[quantity]["median"] <= system[quantity]["largest"]


def test_memory_is_seen_from_outside_and_told_by_the_report(results: dict[str, Any]) -> None:
    build = results["builds"]["nano-cpu-int8"]
    assert build["peak_memory_bytes"] > 20_000_000
    assert build["peak_memory_bytes_told"] > 20_000_000


def test_a_smaller_variant_has_the_smaller_share(results: dict[str, Any]) -> None:
    shares = {name: size["model_share"] for name, size in results["sizes"].items()}
    assert shares["int4 blocks of 32"] < shares["int8 blocks of 128"] < 0.3 < 1 <= shares["fp32"] < 1.02


def test_results_are_json_and_print_as_tables(results: dict[str, Any]) -> None:
    assert json.loads(json.dumps(results)) == results
    console = Console(record=True, width=200, file=None, quiet=False)
    with console.capture() as printed:
        print_results(console, results, list(judge(results)))
    for word in ("PyTorch fp32", "int8 per channel", "GB/s", "one command", "cold build of nano-cpu-int8", "at most"):
        assert word in printed.get()


def test_table_of_the_readme_has_a_row_for_every_system(results: dict[str, Any]) -> None:
    lines, fidelity = (table.splitlines() for table in write_markdown(results).split("\n\n"))
    assert len(fidelity) == 2 + len(VARIANTS)
    assert fidelity[2].startswith("| `nano-cpu-fp32` | fp32 | 5.7 | ")
    assert len(lines) == 2 + 1 + len(VARIANTS)
    assert len({line.count("|") for line in lines}) == 1
    assert lines[4].startswith("| `nano-cpu-int8` | int8 blocks of 128 | 2 | 32.4% | ")


def test_accuracy_of_nano_is_within_what_is_promised(results: dict[str, Any]) -> None:
    verdicts = [verdict for verdict in judge(results) if "perplexity" in verdict.what or "KL" in verdict.what]
    assert len(verdicts) == 5
    assert [verdict for verdict in verdicts if not verdict.reached] == []
    assert list(results["fidelity"]) == list(VARIANTS)


def test_a_number_at_its_goal_reaches_it() -> None:
    assert Verdict("size", 0.17, 0.17, "of float32").reached
    assert not Verdict("size", 0.1701, 0.17, "of float32").reached


def test_a_synthetic_checkpoint_has_the_published_names_and_its_seed_decides_it(tmp_path: Path) -> None:
    shape = Shape(4096, 32, 16, 2, 2)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_checkpoint(tmp_path / name, shape, seed, EXAMPLE)
    a, b, c = (tf.train.load_checkpoint(str(tmp_path / name)) for name in "abc")
    assert {name: tuple(lengths) for name, lengths in a.get_variable_to_shape_map().items()} == shape.tensors
    np.testing.assert_array_equal(a.get_tensor("model/h1/mlp/c_fc/w"), b.get_tensor("model/h1/mlp/c_fc/w"))
    assert not np.array_equal(a.get_tensor("model/wte"), c.get_tensor("model/wte"))
    assert a.get_tensor("model/wte").std() == pytest.approx(0.02, rel=0.02)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_the_large_shape_is_the_published_one() -> None:
    assert LARGE.parameters == 774_030_080
    assert NANO.parameters == 1_350_400
