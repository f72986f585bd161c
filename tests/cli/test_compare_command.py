"""`gpt2forge compare` on real results."""

import json
from pathlib import Path

import pytest

from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow

PROVEN = ("build/nano-cpu-fp32-proven.json", "build/nano-cpu-int8-proven.json")


@pytest.fixture(scope="module")
def proven(measured: Workshop) -> Workshop:
    for recipe in ("nano-cpu-fp32", "nano-cpu-int8"):
        measured.prove(recipe)
    return measured


def test_table_has_a_column_for_each_result_and_marks_baseline_and_front(proven: Workshop) -> None:
    lines = proven.run("compare", *PROVEN).stdout.splitlines()
    assert lines[0].split() == ["nano-cpu-fp32-proven", "(baseline)", "nano-cpu-int8-proven"]
    names = [line.partition("  ")[0] for line in lines[1:]]
    assert names == [
        *("size", "loads in", "memory, anonymous + mapped", "prompt", "new token", "perplexity, beside PyTorch"),
        *("KL divergence", "KL divergence, 99 %", "same likeliest token"),
        "on the Pareto front (size, a token's time, KL divergence)",
        *("`quantization.scheme`", "`quantization.granularity`", "`quantization.embeddings`"),
        "`verify.max_kl`",
    ]


def test_markdown_is_a_table(proven: Workshop) -> None:
    lines = proven.run("compare", "--markdown", *PROVEN).stdout.splitlines()
    assert lines[0] == "|  | nano-cpu-fp32-proven (baseline) | nano-cpu-int8-proven |"
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {4}
    assert lines[: len(table)] == table  # the remarks are below it


def test_json_holds_the_reports_as_they_are(proven: Workshop) -> None:
    found = json.loads(proven.run("compare", "--json", *PROVEN).stdout)
    saved = [json.loads((proven.folder / path).read_text()) for path in PROVEN]
    assert found["baseline"] == "nano-cpu-fp32-proven"
    assert found["reports"] == saved
    assert found["differences"]["quantization.scheme"] == ["none", "int8"]


def test_reports_of_different_hosts_are_not_put_side_by_side_in_silence(proven: Workshop) -> None:
    report = json.loads((proven.folder / PROVEN[1]).read_text())
    report["benchmark"]["host"]["processor"] = "another processor"
    report["verify"]["host"]["processor"] = "another processor"
    (proven.folder / "elsewhere.json").write_text(json.dumps(report))
    pasted = proven.run("compare", "--markdown", PROVEN[0], "elsewhere.json").stdout.splitlines()
    assert {
        "* times were taken on different hosts and cannot be compared",
        "* accuracy was measured on different hosts, whose processors may round differently",
    } <= set(pasted)
    done = proven.run("compare", PROVEN[0], "elsewhere.json")
    assert "warning: times were taken on different hosts and cannot be compared" in done.stderr.splitlines()
    assert "another processor" in done.stdout
    assert "a token's time" not in done.stdout


def test_what_is_missing_is_built(measured: Workshop) -> None:
    words = ("compare", "nano-cpu-int4", "nano-cpu-int8", "--skip", "verify,benchmark", "--json")
    found = json.loads(measured.run(*words).stdout)
    assert [report["recipe"] for report in found["reports"]] == ["nano-cpu-int4", "nano-cpu-int8"]
    assert all(report["bytes"]["package"] > 0 for report in found["reports"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nano-cpu-int8"], "`compare` needs two or more results; name another"),
        (["no.json", "nano-cpu-int8"], "no.json: there is no such report"),
    ],
)
def test_slip_of_the_pen_is_one_line(measured: Workshop, words: list[str], message: str) -> None:
    assert measured.run("compare", *words, code=1).stderr == f"error: {message}\n"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"benchmark": {"token_ms": 1.0}}, "benchmark.bandwidth_gb_s"),
        ({"steps": [1, 2], "benchmark": "x"}, "steps.0"),
        ({"bytes": {"package": 5}}, "bytes.float32"),
        ({"verify": {"perplexity": 1}}, "verify.perplexity_reference"),
        ({"values": [1]}, "values"),
    ],
)
def test_report_that_somebody_edited_is_one_line(proven: Workshop, change: dict[str, object], place: str) -> None:
    report = json.loads((proven.folder / PROVEN[0]).read_text())
    (proven.folder / "edited.json").write_text(json.dumps({**report, **change}))
    (line,) = proven.run("compare", PROVEN[0], "edited.json", code=1).stderr.splitlines()
    assert line.startswith(f"error: edited.json: is not a report of this version of gpt2forge: `{place}`: ")
    assert line.endswith("; build the recipe again")


def test_report_of_an_older_version_is_compared_if_it_has_all_fields(proven: Workshop) -> None:
    report = json.loads((proven.folder / PROVEN[0]).read_text())
    assert report.pop("version") == 1
    (proven.folder / "older.json").write_text(json.dumps(report))
    found = json.loads(proven.run("compare", PROVEN[0], "older.json", "--json").stdout)
    assert found["reports"][1] == {**report, "version": 1}
    del report["warnings"]
    (proven.folder / "older.json").write_text(json.dumps(report))
    assert proven.run("compare", PROVEN[0], "older.json", code=1).stderr == (
        "error: older.json: is a report of an older version of gpt2forge; build the recipe again\n"
    )


def test_number_that_is_none_is_no_report(proven: Workshop) -> None:
    (proven.folder / "nan.json").write_text((proven.folder / PROVEN[0]).read_text().replace(": 0.", ': NaN, "x": 0.'))
    assert "is not a report of this version" in proven.run("compare", PROVEN[0], "nan.json", code=1).stderr


def test_what_is_beyond_its_limit_is_shown_as_not_published(proven: Workshop) -> None:
    recipe = proven.folder / "refused.yaml"
    recipe.write_text("name: refused\nextends: recipes/nano-cpu-int8.yaml\nverify:\n  tokens: 2048\n  max_kl: 0.0\n")
    done = proven.run("compare", PROVEN[0], str(recipe), "--skip", "benchmark")
    front = next(line for line in done.stdout.splitlines() if line.startswith("on the Pareto front"))
    assert front.split()[-2:] == ["yes", "no"]
    assert "warning: refused: was not published: " in done.stderr
    assert not (proven.folder / "build/refused").exists()


def test_variants_stand_side_by_side_each_once(measured: Workshop) -> None:
    words = (
        "compare",
        "nano-cpu@int4-*",
        "nano-cpu@int8-32",
        "nano-cpu@int?-32",
        "--skip",
        "verify,benchmark",
        "--json",
    )
    found = json.loads(measured.run(*words).stdout)
    assert [report["recipe"] for report in found["reports"]] == ["nano-cpu@int4-32", "nano-cpu@int8-32"]
    done = measured.run("compare", "nano-cpu@int4-*", code=1)
    assert done.stderr == "error: `compare` needs two or more results; name another\n"


def test_damaged_settings_are_one_line(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path)
    (shop.folder / "gpt2forge.yaml").write_text("stoer: 1\n")
    done = shop.run("compare", "nano-cpu-int8", "nano-cpu-int4", code=1)
    assert done.stderr == "error: gpt2forge.yaml:1:1: unknown key `stoer`; did you mean `store`?\n"
