"""Limits: a result beyond a limit is not published, and the error has the number, the limit and its place."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.builder.limits import check_limits, find_tolerances, format_share
from gpt2forge.errors import RecipeError
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.sections.quantization_section import Quantization
from tests.reports import PROMPTS, PROPERTIES, make_report
from tests.workshop import Workshop

RECIPE = """\
name: x
source: {checkpoint: here}
target: {device: cpu}
verify:
  text: there
  tolerances: {steps_equal_pass: 0.001, padded_equals_alone: 0.001}
  max_kl: 0.01
  min_top1_agreement: 95%
  max_perplexity_increase: 1%
"""

REFUSED = "not published: allow more, or quantize less"


def refuse(measured: Workshop, change: str) -> str:
    """The one line of a build that must not be published."""
    path = measured.folder / "build/nano-cpu-int8-proven"
    before = path.readlink() if path.is_symlink() else None
    report = measured.prove("nano-cpu-int8", "--set", change, code=1)
    after = path.readlink() if path.is_symlink() else None
    assert before == after
    assert report["output"] is None
    earlier = "build/nano-cpu-int8-proven: still points to an earlier build's result"
    assert (earlier in report["warnings"]) == (before is not None)
    assert report["error"] == json.loads(path.with_suffix(".json").read_text())["error"]
    assert report["verify"]["kl_mean"] > 0  # what was measured is told all the same
    return str(report["error"])


@pytest.fixture(scope="module")
def verify(measured: Workshop) -> dict[str, Any]:
    found: dict[str, Any] = measured.prove("nano-cpu-int8")["verify"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ("verify.max_kl=1e-9", "kl_mean", " above `max_kl: 1e-09`"),
        ("verify.min_top1_agreement=100%", "top1_agreement", " % below `min_top1_agreement: 100%`"),
    ],
)
def test_number_beyond_its_limit_is_one_line_with_both_and_the_place(
    measured: Workshop, verify: dict[str, Any], change: str, name: str, says: str
) -> None:
    shown = f"{verify[name]:.3g}" if name == "kl_mean" else format_share(verify[name])
    line = refuse(measured, change)
    assert line.startswith(f"--set {change}: `{name}` is {shown}, ")
    assert line.endswith(f"{says}; {REFUSED}")


@pytest.mark.slow
def test_limit_in_a_file_is_named_by_line_and_column(measured: Workshop) -> None:
    recipe = measured.folder / "strict-int8.yaml"
    recipe.write_text(
        "name: strict-int8\nextends: recipes/nano-cpu-int8.yaml\nverify:\n  tokens: 2048\n"
        "  max_perplexity_increase: 0%\n  max_kl: 0.0001\n"
    )
    words = ("--skip", "benchmark")
    lines = measured.run("build", str(recipe), *words, code=1, measured=True).stderr.splitlines()
    assert f"error: {recipe}:6:3: `kl_mean` is " in lines[-1]
    assert lines[-1].endswith(f" above `max_kl: 0.0001`; {REFUSED}")
    saved = (measured.folder / "build/strict-int8.json").read_bytes()
    assert json.loads(saved)["output"] is None
    done = measured.run("compare", str(recipe), "build/strict-int8.json", "--skip", "verify,benchmark")
    assert "strict-int8 (2): was not published: " in done.stderr
    assert not (measured.folder / "build/strict-int8").exists()  # to leave the judge out publishes nothing
    assert (measured.folder / "build/strict-int8.json").read_bytes() == saved


@pytest.mark.slow
def test_property_beyond_its_tolerance_names_the_shortest_prompt_that_shows_it(
    measured: Workshop, verify: dict[str, Any]
) -> None:
    line = refuse(measured, "verify.tolerances.steps_equal_pass=1e-5")
    worst = verify["properties"]["steps_equal_pass"]
    shortest = next(each for each in verify["prompts"]["steps_equal_pass"] if each["difference"] > 1e-5)
    assert line == (
        f"--set verify.tolerances.steps_equal_pass=1e-5: `steps_equal_pass` is {worst:.3g} of the logits' spread, above "
        "its tolerance 1e-05; not published; the shortest prompt that shows it has the tokens "
        f"{' '.join(map(str, shortest['tokens']))}"
    )


@pytest.mark.slow
def test_float32_is_held_to_one_part_in_ten_thousand(measured: Workshop) -> None:
    found = measured.prove("nano-cpu-fp32")["verify"]["properties"]
    assert max(found.values()) < 1e-4


@pytest.mark.parametrize("value", ["110%", "-1%", "much", "[1]", "0.5", "1", "x%", "1e1%"])
def test_limit_that_is_no_percentage_is_refused(measured: Workshop, value: str) -> None:
    words = ("--set", f"verify.max_perplexity_increase={value}", "--name", "x")
    done = measured.run("plan", "nano-cpu-int8", *words, code=1)
    assert done.stderr.startswith(f"error: --set verify.max_perplexity_increase={value}: `verify.max_perplexity_inc")
    assert done.stderr.endswith(" must be a percentage from `0%` to `100%`, as in `0.5%`\n")
    assert len(done.stderr.splitlines()) == 1


def check(folder: Path, text: str, **changes: Any) -> list[str]:
    """Return the lines that refuse the complete report, changed, by this recipe; none if it may be published."""
    (folder / "x.yaml").write_text(text)
    verify = make_report(**changes).verify
    assert verify is not None
    try:
        check_limits(load_recipe(str(folder / "x.yaml")), verify)
    except RecipeError as error:
        return str(error).replace(f"{folder}/", "").splitlines()
    return []


def test_every_number_beyond_its_limit_is_a_line_at_the_place_of_the_limit(tmp_path: Path) -> None:
    assert check(tmp_path, RECIPE) == [
        "x.yaml:6:16: `steps_equal_pass` is 0.002 of the logits' spread, above its tolerance 0.001; not published; the "
        "shortest prompt that shows it has the tokens 15 333",
        f"x.yaml:7:3: `kl_mean` is 0.0154, 0.0054 above `max_kl: 0.01`; {REFUSED}",
        f"x.yaml:8:3: `top1_agreement` is 90.5 %, 4.5 % below `min_top1_agreement: 95%`; {REFUSED}",
        f"x.yaml:9:3: `perplexity_increase` is 1.1 %, 0.1 % above `max_perplexity_increase: 1%`; {REFUSED}",
    ]


def test_number_that_equals_its_limit_is_published(tmp_path: Path) -> None:
    fine = {"verify__properties__steps_equal_pass": 0.001, "verify__properties__padded_equals_alone": 0.0}
    numbers = {"verify__kl_mean": 0.01, "verify__top1_agreement": 0.95, "verify__perplexity_increase": 0.01}
    assert check(tmp_path, RECIPE, **fine, **numbers) == []
    above = {"verify__properties__shared_equals_copied": 6e-4, "verify__prompts__shared_equals_copied": PROMPTS}
    (line,) = check(tmp_path, RECIPE, **fine, **numbers, **above)
    assert line.startswith("x.yaml:6:3: `shared_equals_copied` is 0.0006 of the logits' spread")


def test_result_may_be_anything_where_a_recipe_has_no_limits(tmp_path: Path) -> None:
    exact = {f"verify__properties__{name}": 0.0 for name in PROPERTIES}
    assert check(tmp_path, RECIPE.partition("  tolerances")[0], **exact, verify__kl_mean=5.0) == []


def test_int8_cache_may_round_either_way(measured: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(measured.folder)
    loaded = load_recipe("nano-cpu-fp32")
    assert find_tolerances(loaded) == dict.fromkeys(find_tolerances(loaded), 1e-4)
    for scheme, most in (("none", 0.02), ("int8", 0.03)):
        quantization = Quantization(scheme=scheme, kv_cache="int8")
        found = find_tolerances(replace(loaded, recipe=loaded.recipe.model_copy(update={"quantization": quantization})))
        assert found.pop("shared_equals_copied") == 1e-4
        assert set(found.values()) == {most}


@pytest.mark.parametrize(
    ("quantization", "tolerance"),
    [
        ("{scheme: int8, granularity: channel}", 0.01),
        ("{scheme: int8, granularity: channel, overrides: {h.0.*: {bits: 8}}}", 0.01),
        ("{scheme: int8, granularity: channel, overrides: {h.0.*: {bits: 4}}}", 0.03),
        ("{scheme: int4, overrides: {h.0.*: {bits: 8, granularity: channel}}}", 0.03),
        ("{scheme: none, positions: float16}", 1e-4),
    ],
)
def test_tolerance_is_that_of_the_widest_scheme_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantization: str, tolerance: float
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(
        "name: x\nsource: {checkpoint: here}\ntarget: {device: cpu, cpu: vnni}\nverify: {text: there}\n"
        f"quantization: {quantization}\n"
    )
    assert find_tolerances(load_recipe("x.yaml"))["steps_equal_pass"] == tolerance


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.02, "2 %"), (1.0, "100 %"), (0.97403, "97.403 %"), (0.0, "0 %"), (3.25e-8, "3e-06 %"), (-0.001, "-0.1 %")],
)
def test_share_has_the_digits_that_matter(share: float, text: str) -> None:
    assert format_share(share) == text
