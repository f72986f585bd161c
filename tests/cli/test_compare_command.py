"""`gpt2forge compare` on real results."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.page.pages import PageReader
from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow

PROVEN = ("build/nano-cpu-fp32-proven.json", "build/nano-cpu-int8-proven.json")


@pytest.fixture(scope="module")
def proven(measured: Workshop) -> Workshop:
    for recipe in ("nano-cpu-fp32", "nano-cpu-int8"):
        measured.prove(recipe)
    return measured


def test_table_has_a_row_for_each_result_and_ends_in_a_recommendation(proven: Workshop) -> None:
    lines = proven.run("compare", *PROVEN).stdout.splitlines()
    assert lines[0].split() == ["result", "size", "speed-up", "perplexity", "KL", "verdict"]
    assert [line.split()[0] for line in lines[1:4]] == ["nano-cpu-fp32-proven", "baseline", "nano-cpu-int8-proven"]
    assert lines[4] == "    scheme int8, granularity 128, embeddings int8, positions float16, 1 more"
    assert re.match("smallest( and fastest)? within your limits: nano-cpu-int8-proven", lines[-1])
    assert max(map(len, lines)) <= 100


def test_all_numbers_have_a_column_for_each_result_and_mark_baseline_and_front(proven: Workshop) -> None:
    lines = proven.run("compare", "--all", *PROVEN).stdout.splitlines()
    start = next(place for place, line in enumerate(lines) if "(baseline)" in line)
    assert lines[start].split() == ["nano-cpu-fp32-proven", "(baseline)", "nano-cpu-int8-proven"]
    names = [line.partition("  ")[0] for line in lines[start + 1 :]]
    assert names == [
        *("size", "loads in", "memory, anonymous + mapped", "prompt", "new token", "perplexity, beside PyTorch"),
        *("KL divergence", "KL divergence, 99 %", "same likeliest token"),
        "on the Pareto front (size, a token's time, KL divergence)",
        *("`quantization.scheme`", "`quantization.granularity`", "`quantization.embeddings`"),
        *("`quantization.positions`", "`verify.max_kl`"),
    ]


def test_markdown_is_a_table(proven: Workshop) -> None:
    lines = proven.run("compare", "--markdown", *PROVEN).stdout.splitlines()
    assert lines[0] == "| result | size | speed-up | perplexity | KL | verdict |  |"
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {8}
    assert lines[: len(table)] == table  # the recommendation and the remarks are below it


def test_condition_that_a_result_meets_is_one_line_and_exit_code_1(proven: Workshop) -> None:
    words = ("compare", *PROVEN, "--fail-if", "size < baseline", "--fail-if", "kl > 1", "--junit", "junit.xml")
    done = proven.run(*words, code=1)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: nano-cpu-int8-proven: meets `size < baseline`: size 1.")
    assert done.stdout.splitlines()[0].startswith("result")
    xml = (proven.folder / "junit.xml").read_text()
    assert 'tests="4" failures="1" skipped="0"' in xml
    assert proven.run("compare", *PROVEN, "--fail-if", "kl > 1").returncode == 0


def test_wrong_condition_is_one_line_before_anything_is_built(measured: Workshop) -> None:
    done = measured.run("compare", "nano-cpu-fp32", "nano-cpu-int4", "--fail-if", "perplexty > 3", code=1)
    assert done.stderr == "error: `perplexty > 3`: unknown number `perplexty`; did you mean `perplexity`?\n"


def test_page_has_the_numbers_errors_and_answers_of_the_results(proven: Workshop) -> None:
    proven.run("compare", *PROVEN, "--html", "page.html")
    page = PageReader((proven.folder / "page.html").read_text())
    reports = [json.loads((proven.folder / path).read_text()) for path in PROVEN]
    numbers = page.read_numbers()
    assert numbers["verify.perplexity"] == [report["verify"]["perplexity"] for report in reports]
    assert numbers["bytes.package"] == [report["bytes"]["package"] for report in reports]
    story = json.loads((proven.folder / "build/nano-cpu-int8-proven/forge.json").read_text())
    errors = {tensor["error"] for tensor in story["tensors"] if re.search(r"(attn|mlp)\.|wte", tensor["name"])}
    shown = {float(each["data-value"] or 0) for each in page.find("td") if each.get("class") == "heat"}
    assert {error for error in errors if error} <= shown
    assert page.find_texts("h3") == ["Prompt 1", "Prompt 2", "Prompt 3"]
    assert page.find_texts("h4").count("nano-cpu-int8-proven ") == 3
    whole = [caption for caption in page.find_texts("caption") if caption.startswith("Time of ")]
    assert whole == ["Time of a prompt of 64 tokens by operator", "Time of a new token by operator"]
    times = [float(each["data-value"] or 0) for each in page.find("td") if each.get("class") == "time"]
    assert times and min(times) >= 0
    own = proven.run("compare", *PROVEN, "--html", "page.html", "--prompt", "import o")
    assert "nano-cpu-int8-proven: answers 1 prompt\n" in own.stderr
    answer = proven.run("generate", "nano-cpu-fp32-proven", "-p", "import o", "-n", "40", "-t", "0").stdout
    page = PageReader((proven.folder / "page.html").read_text())
    assert answer.rstrip() == "import o" + page.find_texts("pre")[1].rstrip()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--html", "recipes"], "recipes: is a folder; name a file to write"),
        (["--junit", "/dev/null"], "/dev/null: is a device or a pipe; name a file to write"),
        (["--html", "no/page.html"], "no/page.html: there is no folder `no`; make it, or name another file"),
        (["--prompt", "x"], "`--prompt` is for the page; add `--html FILE`"),
    ],
)
def test_place_where_no_file_can_be_is_one_line_at_once(measured: Workshop, words: list[str], message: str) -> None:
    done = measured.run("compare", "nano-cpu-fp32", "nano-cpu-int4", *words, code=1)
    assert done.stderr == f"error: {message}\n"


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
    done = proven.run("compare", "--all", PROVEN[0], "elsewhere.json")
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
    row = next(line for line in done.stdout.splitlines() if line.startswith("refused "))
    assert row.endswith("beyond its limits")
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
