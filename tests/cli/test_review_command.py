"""`gpt2forge review` on saved reports: what changes, what is new, what failed and what has faults."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.builder.review import ReviewedResult
from gpt2forge.cli.review_comment import LONGEST, MARK, cut, describe_change
from tests.reports import STEPS, change_report, make_report
from tests.workshop import Workshop

RECIPE = "name: {name}\nextends: gpt2forge/cpu\nsource: {{checkpoint: x}}\nquantization: {{scheme: int8}}\n"
LIMITED = {"name": "one", "quantization": {"scheme": "int8"}, "verify": {"max_kl": 0.01}}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Make a folder with the recipes `one` and `two`, neither of which is built."""
    (tmp_path / "recipes").mkdir()
    for name in ("one", "two"):
        (tmp_path / f"recipes/{name}.yaml").write_text(RECIPE.format(name=name))
    return Workshop(tmp_path)


def save(shop: Workshop, folder: str, name: str, **changes: Any) -> None:
    (shop.folder / folder).mkdir(exist_ok=True)
    report = change_report(**{"recipe": name, **changes})
    (shop.folder / folder / f"{name}.json").write_text(json.dumps(report))


def name_package(digit: str) -> list[dict[str, Any]]:
    return [{**step, "digest": digit * 64} if step["stage"] == "quantize" else step for step in STEPS]


def review(shop: Workshop, *words: str) -> list[str]:
    return shop.run("review", *(words or ("*",))).stdout.splitlines()


def test_changed_result_is_below_what_it_was_and_an_unchanged_one_is_named(shop: Workshop) -> None:
    save(shop, "before", "one")
    save(shop, "build", "one", steps=name_package("d"), values__quantization__embeddings="int4")
    save(shop, "before", "two")
    save(shop, "build", "two")
    lines = review(shop)
    assert lines[:3] == [MARK, "### gpt2forge: 1 of 2 results changes; no limit is exceeded", ""]
    assert lines[3] == "| result | size | speed-up | perplexity | KL | verdict |  |"
    assert lines[5].startswith("| one, before | 1.4 MB, 26 % | 2.5x, 500/s | 55.60 | 1.54e-02 | ")
    assert lines[6].startswith("| one | 1.4 MB, 26 % |") and lines[6].endswith(" | embeddings int4 |")
    assert lines[8:] == [
        "* `one`: `quantize` built (`quantization.scheme` changed); 1 step reused",
        "* unchanged: `two`",
    ]


def test_result_that_is_new_beyond_its_limit_or_not_built_cannot_be_used(shop: Workshop) -> None:
    save(shop, "build", "one", values=LIMITED, error="quantize/one: KL is too large")
    lines = review(shop)
    assert lines[1] == "### gpt2forge: 2 of 2 results change; `one`, `two` cannot be used"
    assert "| beyond its limits | new; KL 0.0054 above `max_kl: 0.01`" in lines[5]
    assert lines[6] == "| two | - | - | - | - | not built |  |"
    assert lines[-1] == "* there is no earlier result to compare with"


def test_new_limit_is_a_change_even_if_the_package_is_the_same() -> None:
    result = ReviewedResult(name="one", before=make_report(), now=make_report(values__verify__max_kl=0.01))
    assert not result.is_unchanged
    assert describe_change(result).startswith("max_kl 0.01; KL ")


def test_result_that_is_worse_in_everything_is_dominated_by_what_it_was() -> None:
    worse = make_report(bytes__package=2_000_000, benchmark__token_ms=4.0, benchmark__spread__token_ms=[3.9, 4.1])
    assert describe_change(ReviewedResult(name="nano", before=make_report(), now=worse)).endswith(
        "dominated by nano, before"
    )


def test_faults_of_recipes_are_in_the_comment(shop: Workshop) -> None:
    (shop.folder / "recipes/two.yaml").write_text("name: two\n  oops: 1\n")
    (shop.folder / "recipes/one.yaml").write_text(RECIPE.format(name="one").replace("scheme", "shceme"))
    lines = review(shop)
    assert lines[1] == "### gpt2forge: 1 of 1 result changes; recipes have faults"
    assert [line.split(": ")[0] for line in lines if line.startswith("* recipes/")] == [
        "* recipes/two.yaml:2:3",
        "* recipes/one.yaml:4:16",
    ]


def test_text_of_a_report_is_no_markup(shop: Workshop) -> None:
    save(shop, "build", "one", error="<img src=x>|[a](b)\x1b[2J")
    (line,) = (line for line in review(shop, "one") if "was not published" in line)
    assert line == "* one: was not published: &lt;img src=x>\\|\\[a](b)\\x1b\\[2J"


def test_unknown_recipe_is_one_line(shop: Workshop) -> None:
    assert shop.run("review", "three", code=1).stderr.startswith("error: `three`: there is no `recipes/three.yaml`")


def test_comment_is_no_longer_than_github_takes() -> None:
    text = cut("* line\n" * 20_000)
    assert len(text) < LONGEST + 100 and text.endswith("* line\n\nThe rest is too long for a comment.\n")
