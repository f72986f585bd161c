"""Where the time of a package goes, beside the bytes and operations that it needs."""

from pathlib import Path

import pytest

from gpt2forge.graph.model_file import read_graph
from gpt2forge.measure.node_work import RunShape, Work, count_work
from gpt2forge.measure.package_profile import Timetable, name_layer, profile_package
from gpt2forge.measure.products import Products, time_products
from gpt2forge.measure.roofline import Machine
from gpt2forge.measure.speed import count_read_bytes
from gpt2forge.quantize.forms import FORMS
from gpt2forge.tune.advice import find_shapes
from tests.graph.models import Shape, make_tiny
from tests.quantize.packages import SCHEMES, pack
from tests.workshop import Workshop

MACHINE = Machine(bandwidth_gb_s=10.0, float_gops=100.0, integer_gops=400.0)


def test_bytes_of_a_token_are_those_that_the_benchmark_counts(workshop: Workshop) -> None:
    package = workshop.build("nano-cpu-int8")
    work = count_work(read_graph(package).graph, RunShape(new=1, past=0))
    weights = {name: each.bytes for name, each in work.items() if not name.endswith("attn.attention")}
    assert sum(weights.values()) == pytest.approx(count_read_bytes(package), rel=0.02)


def test_few_rows_and_many_read_the_same_weights(tmp_path: Path) -> None:
    pack(make_tiny(tmp_path / "tiny", Shape(heads=2, head_width=16)), tmp_path / "out", SCHEMES["int8-channel-few"])
    graph = read_graph(tmp_path / "out").graph
    work, shapes = count_work(graph, RunShape(new=1, past=0)), find_shapes(graph)
    few, many = (work[f"h.0.mlp.c_fc.{kind}"] for kind in ("few", "many"))
    assert few == many == Work(bytes=32 * 128 + 4 * 128, operations=2 * 32 * 128, is_integer=True)
    assert shapes == {(32, 96): 2, (32, 32): 2, (32, 128): 2, (128, 32): 2}


def test_operations_are_two_for_each_weight_and_row(workshop: Workshop) -> None:
    graph = read_graph(workshop.build("nano-cpu-int8")).graph
    one, ten = (count_work(graph, RunShape(new=new, past=0)) for new in (1, 10))
    assert one["h.0.mlp.c_fc"].operations == 2 * 128 * 512
    assert ten["h.0.mlp.c_fc"].operations == 20 * 128 * 512
    assert ten["lm_head"].operations == one["lm_head"].operations  # it reads the last token alone


def test_the_larger_of_two_times_is_the_limit() -> None:
    assert MACHINE.find_limit(Work(bytes=10_000_000, operations=10)) == (1.0, "memory")
    assert MACHINE.find_limit(Work(bytes=10, operations=800_000_000, is_integer=True)) == (2.0, "processor")


def test_groups_hold_all_the_time_of_the_nodes(workshop: Workshop, tmp_path: Path) -> None:
    package = workshop.build("nano-cpu-int8")
    prompt, token = profile_package(package, Timetable(16, 4, rounds=2, threads=1), MACHINE, tmp_path)
    for phase in (prompt, token):
        sums = [sum(row.ms for row in rows) for rows in (phase.operators, phase.layers)]
        assert sums[0] == pytest.approx(sums[1])
        assert {"h.0", "h.3", "head", "embeddings"} <= {row.name for row in phase.layers}
    by_operator = {row.name: row for row in prompt.operators}
    assert by_operator["MatMulNBits"].limit_ms > 0


@pytest.mark.parametrize("form", [None, "8x32", "4x16", "8xchannel"])
def test_products_of_every_form_can_be_timed(form: str | None) -> None:
    products = Products(40, 48, FORMS[form] if form else None, count=2)
    assert 0 < time_products(products, 3, is_exact=False, threads=1) < 50


def test_layers_are_named_by_the_node() -> None:
    names = {"h.11.attn.c_attn": "h.11", "lm_head": "head", "ln_f": "head", "wte": "embeddings", "mask": "others"}
    assert {name: name_layer(name) for name in names} == names
