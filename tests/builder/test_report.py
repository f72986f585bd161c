"""The report: its JSON, its schema, and files that hold no report of this version."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpt2forge.builder.report import (
    Report,
    list_keys,
    load_report,
    make_report_schema,
    read_accuracy,
    read_report,
    write_report,
)
from gpt2forge.builder.report import make_report as collect
from gpt2forge.errors import UserError
from gpt2forge.executor.outcome import Outcome
from tests.reports import COMPLETE, STEPS, change_report, make_report
from tests.workshop import Workshop

OLDER = "is a report of an older version of gpt2forge; build the recipe again"
FOREIGN = "is not a report of gpt2forge; `build/NAME.json` is one"


def refuse(path: Path, text: str | bytes) -> str:
    """Return the one line with which a file is refused, without its path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as error:
        load_report(path)
    assert read_report(path) is None
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def nest(depth: int) -> dict[str, Any]:
    return {"a": nest(depth - 1)} if depth else {}


def test_json_of_a_report_is_what_was_read_in_the_same_order() -> None:
    assert json.dumps(Report.from_json(COMPLETE).to_json()) == json.dumps(COMPLETE)


def test_order_does_not_depend_on_that_of_the_metrics() -> None:
    """A record has its metrics sorted, a step that has just run in the order of the stage."""
    sorted_json = json.loads(json.dumps(COMPLETE, sort_keys=True))
    assert list(Report.from_json(sorted_json).to_json()["verify"]) == list(COMPLETE["verify"])


def test_report_collects_the_metrics_of_all_steps() -> None:
    metrics = {
        "convert": {"context": 256},
        "quantize": {"bytes": COMPLETE["bytes"], "text": COMPLETE["text"]},
        "verify": {"verify": COMPLETE["verify"]},
    }
    outcomes = [Outcome(**step, metrics=metrics[step["stage"]]) for step in STEPS]
    made = collect(COMPLETE["values"], Path("build/nano"), outcomes, ["the text is short"], None)
    assert made.to_json() == {**COMPLETE, "benchmark": None}
    assert [found.positions for outcome in outcomes if (found := read_accuracy(outcome))] == [2040]


def test_saved_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, told = tmp_path / "nano.json", []
    write_report(path, make_report(), lambda: told.append(path.exists()))
    assert told == [False]  # no report while the package is exchanged
    assert json.loads(path.read_text()) == COMPLETE
    assert load_report(path) == read_report(path) == make_report()


def test_keys_are_those_of_steps_that_were_not_skipped() -> None:
    assert list_keys(make_report()) == {"convert": "a" * 64, "quantize": "b" * 64}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"benchmark": {"token_ms": 1.0}}, "`benchmark.bandwidth_gb_s`: is missing"),
        ({"benchmark": "x"}, "`benchmark`: "),
        ({"steps": [1]}, "`steps.0`: "),
        ({"steps": "x"}, "`steps`: "),
        ({"steps": [{**STEPS[0], "outcome": "eaten"}]}, "`steps.0.outcome`: "),
        ({"values": [1]}, "`values`: "),
        ({"values": nest(300)}, "`values.a"),
        ({"values": nest(900)}, "`values.a"),
        ({"commit": "x"}, "`commit`: is unknown"),
        ({"a\nb": "x"}, "`a b`: is unknown"),
        ({"version": "1"}, "`version`: "),
        ({"version": 0}, "`version`: "),
        ({"verify__kl_mean": "0.1"}, "`verify.kl_mean`: "),
        ({"verify__kl_mean": True}, "`verify.kl_mean`: "),
        ({"verify__kl_mean": 10**400}, "`verify.kl_mean`: "),
        ({"verify__intervals__kl_mean": [1.0]}, "`verify.intervals.kl_mean"),
        ({"benchmark__spread__token_ms": [1.0, "2"]}, "`benchmark.spread.token_ms.1`: "),
        ({"benchmark__token_ms_reference": 0}, "`benchmark.token_ms_reference`: "),
        ({"benchmark__mapped_memory_bytes": 2**63}, "`benchmark.mapped_memory_bytes`: "),
        ({"bytes__float32": 0}, "`bytes.float32`: "),
        ({"bytes__package": 1.5}, "`bytes.package`: "),
    ],
)
def test_edited_report_is_one_line_with_the_place(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    line = refuse(tmp_path / "nano.json", json.dumps(change_report(**changes)))
    assert line.startswith(f"is not a report of this version of gpt2forge: {fault}")
    assert line.endswith("; build the recipe again")


def test_message_of_an_edited_report(tmp_path: Path) -> None:
    assert refuse(tmp_path / "nano.json", json.dumps(change_report(bytes={"package": 5}))) == (
        "is not a report of this version of gpt2forge: `bytes.float32`: is missing; build the recipe again"
    )


@pytest.mark.parametrize("text", ["", "no json", "[" * 100_000, b"\xff", "9" * 5000])
def test_file_that_is_not_json_is_one_line(tmp_path: Path, text: str | bytes) -> None:
    assert "it is not JSON" in refuse(tmp_path / "nano.json", text)


@pytest.mark.parametrize("text", ["{}", "[]", "null", "3", '{"name": "a package"}'])
def test_json_of_another_program_is_one_line(tmp_path: Path, text: str) -> None:
    assert refuse(tmp_path / "nano.json", text) == FOREIGN


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_number_that_json_does_not_have_is_refused(tmp_path: Path, number: str) -> None:
    text = json.dumps(COMPLETE).replace('"kl_mean": 0.0154', f'"kl_mean": {number}')
    assert "is not a report of this version of gpt2forge: " in refuse(tmp_path / "nano.json", text)
    text = json.dumps(change_report(values={"a": [0.25]})).replace("0.25", number)
    assert "is not a report of this version of gpt2forge: " in refuse(tmp_path / "nano.json", text)


def test_text_that_is_not_unicode_is_kept(tmp_path: Path) -> None:
    """Names of files may hold any bytes, which Python reads as half surrogates, and an error may name a file."""
    path, report = tmp_path / "nano.json", make_report(error="\udcff: no such file", values={"a": "\udcff"})
    write_report(path, report)
    assert load_report(path) == report


def test_report_of_an_older_version_is_read_if_it_has_all_fields(tmp_path: Path) -> None:
    path = tmp_path / "nano.json"
    path.write_text(json.dumps({key: value for key, value in COMPLETE.items() if key != "version"}))
    assert load_report(path) == make_report()


def test_report_of_an_older_version_is_one_line_otherwise(tmp_path: Path) -> None:
    older = {key: value for key, value in COMPLETE.items() if key not in ("version", "warnings")}
    assert refuse(tmp_path / "nano.json", json.dumps(older)) == OLDER


def test_report_of_a_newer_version_is_one_line(tmp_path: Path) -> None:
    newer = json.dumps({**COMPLETE, "version": 2, "colour": "blue"})
    assert refuse(tmp_path / "nano.json", newer) == (
        "is a report of a newer version of gpt2forge (format 2); update gpt2forge"
    )


def test_missing_report_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no\.json: there is no such report$"):
        load_report(Path("no.json"))
    assert read_report(tmp_path) is None


IDLE = [{**STEPS[0]}, {**STEPS[1], "outcome": "reused"}]


@pytest.mark.parametrize(
    ("changes", "repeats"),
    [
        ({}, True),
        ({"verify": None, "benchmark": None}, True),
        ({"steps": [{**STEPS[0], "outcome": "built"}, IDLE[1]]}, False),
        ({"steps": [{**STEPS[0], "key": "d" * 64}, IDLE[1]]}, False),
        ({"values": {"name": "nano"}}, False),
        ({"error": "too far off"}, False),
        ({"verify__kl_mean": 0.5}, False),
        ({"warnings": []}, True),
    ],
)
def test_report_is_written_anew_only_if_it_has_anything_new(changes: dict[str, Any], repeats: bool) -> None:
    assert make_report(**{"steps": IDLE, **changes}).repeats(make_report(steps=IDLE)) is repeats


def test_report_lacks_the_parts_that_are_left_out() -> None:
    made = make_report().leave_out(["reference", "verify"])
    assert (made.verify, made.benchmark) == (None, make_report().benchmark)


def test_every_field_of_the_schema_has_a_description() -> None:
    schema = make_report_schema()
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert all(field["description"] for field in part["properties"].values())
        assert part["additionalProperties"] is False


def test_schema_is_that_of_what_is_written() -> None:
    schema = make_report_schema()
    jsonschema.validate(COMPLETE, schema)
    jsonschema.validate(change_report(verify=None, benchmark=None, bytes=None, output=None, error="x"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({key: value for key, value in COMPLETE.items() if key != "version"}, schema)


@pytest.mark.slow
def test_checkpoint_that_was_found_below_is_warned_of(built: Workshop) -> None:
    (built.folder / "runs").mkdir()
    (built.folder / "runs/checkpoint-7").symlink_to(built.folder / "examples/nano")
    report = built.report("nano-cpu-int8", "--name", "below", "--set", "source.checkpoint=runs")
    assert [step["outcome"] for step in report["steps"] if step["stage"] == "convert"] == ["reused"]
    (warning,) = report["warnings"]
    assert "the checkpoint is read from the folder `checkpoint-7` in it" in warning
