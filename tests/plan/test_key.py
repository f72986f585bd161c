"""Keys: equal for equal pre-images, different for all others."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.digest import canonical_json, digest_value
from gpt2forge.measure.host import describe_host, describe_processor, describe_threads
from gpt2forge.plan.from_recipe import drop_unread, select_stages
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import add_inputs, make_basis, make_key
from gpt2forge.plan.readings import Readings
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.store import Store
from tests.toy.job import make_job
from tests.workshop import ROOT

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def reverse(value: Any) -> Any:
    """Return the value with every mapping in reverse order."""
    if isinstance(value, dict):
        return {key: reverse(child) for key, child in reversed(value.items())}
    return [reverse(child) for child in value] if isinstance(value, list) else value


@given(values)
def test_order_of_keys_does_not_count(value: Any) -> None:
    assert digest_value(value) == digest_value(reverse(value))


def mark(value: Any) -> Any:
    """Return the value with the type of every scalar, so that 1, 1.0, True and "1" differ, as in a recipe."""
    if isinstance(value, dict):
        return {key: mark(child) for key, child in value.items()}
    return [mark(child) for child in value] if isinstance(value, list) else (type(value).__name__, repr(value))


@given(values, values)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assert (digest_value(one) == digest_value(other)) == (mark(one) == mark(other))


@given(values)
def test_canonical_form_loses_nothing(value: Any) -> None:
    assert mark(json.loads(canonical_json(value))) == mark(value)


def test_number_that_is_none_has_no_digest() -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        digest_value(float("nan"))


def test_key_holds_what_the_stage_reads_and_no_path(tmp_path: Path) -> None:
    readings = Readings(Store(tmp_path / "cache"))
    images = []
    for name in ("one", "two"):
        job = make_job(tmp_path / name)
        source = readings.read_source(job.sources["checkpoint"], lambda done, total, unit: None)
        images.append(add_inputs(make_basis(job, job.stages[0], readings), {"checkpoint": source.digest}))
    assert images[0] == images[1]
    assert make_key(images[0]) == make_key(images[1])
    assert set(images[0]) == {"stage", "version", "code", "section", "target", "inputs", "tools"}
    assert images[0]["section"] == {}
    assert list(images[0]["tools"]) == ["numpy"]
    assert str(tmp_path) not in str(images)


def test_what_a_machine_decides_is_keyed_on_the_machine(tmp_path: Path) -> None:
    readings, job = Readings(Store(tmp_path / "cache")), make_job(tmp_path / "one")
    stage = replace(job.stages[0], on_host=True)
    image = add_inputs(make_basis(job, stage, readings), {"checkpoint": "0"})
    assert image["host"] == describe_host()


def test_last_bits_that_a_processor_decides_are_keyed_on_it(tmp_path: Path) -> None:
    readings, job = Readings(Store(tmp_path / "cache")), make_job(tmp_path / "one")
    stage = replace(job.stages[0], by_processor=lambda section: True)
    image = make_basis(job, stage, readings)
    assert image["processor"] == describe_processor()
    assert "threads" not in image
    assert make_basis(job, replace(stage, threaded=True), readings)["threads"] == describe_threads()


@pytest.mark.parametrize(
    ("recipe", "changes", "stages"),
    [
        ("nano-cpu-int8", (), ()),
        ("nano-cpu-int4", (), ()),
        ("nano-cpu-int8", ("source.adapter=adapter",), ("convert", "export", "fuse", "quantize")),
        ("nano-cpu-int4-gptq", (), ("calibrate", "quantize")),
    ],
)
def test_stages_that_depend_on_the_processor(recipe: str, changes: tuple[str, ...], stages: tuple[str, ...]) -> None:
    loaded = load_recipe(str(ROOT / f"recipes/{recipe}.yaml"), list(changes), "mine").recipe
    sections = {stage.section: getattr(loaded, stage.section) for stage in STAGES if stage.section}
    job = Job(
        name="mine",
        stages=tuple(drop_unread(list(select_stages(sections)))),
        sections=sections,
        target=loaded.target,
        sources={},
    )
    assert job.list_by_processor() == stages


def test_fields_that_a_stage_does_not_read_are_not_in_its_key(tmp_path: Path) -> None:
    readings, job = Readings(Store(tmp_path / "cache")), make_job(tmp_path / "one", times=3)
    stage = next(stage for stage in job.stages if stage.section == "repetition")
    image = add_inputs(make_basis(job, replace(stage, fields=("times",)), readings), {"text": "0"})
    assert image["section"] == {"times": 3}
