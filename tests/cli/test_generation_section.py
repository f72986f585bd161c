"""A recipe's `generation:` from the build to the text, with a draft that another recipe makes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop, copy_workshop

pytestmark = pytest.mark.slow

PROMPT = "class Reader:\n    def __init__(self, name):\n        self.name = name\n\n    def "
MODEL = """\
name: talk
extends: nano-cpu-int8.yaml
verify: null
benchmark: null
generation:
  temperature: 0.5
  max_tokens: 12
  speculative: {draft: helper, tokens: 4}
"""
HELPER = "name: helper\nextends: nano-cpu-int8.yaml\nquantization: {scheme: int4, granularity: 32}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    """Return a workshop with recipes of its own, in which a model with a draft is built."""
    shop = copy_workshop(built_once, tmp_path_factory.mktemp("drafted") / "here")
    (shop.folder / "recipes").unlink()
    shutil.copytree(ROOT / "recipes", shop.folder / "recipes")
    (shop.folder / "recipes/helper.yaml").write_text(HELPER)
    (shop.folder / "recipes/talk.yaml").write_text(MODEL)
    shop.run("build", "talk")
    return shop


def outcomes(shop: Workshop, *words: str) -> dict[str, str]:
    return {step["stage"]: step["outcome"] for step in shop.report(*words)["steps"]}


def test_plan_lists_the_steps_of_the_draft_first(shop: Workshop) -> None:
    lines = [json.loads(line) for line in shop.run("plan", "--json", "talk").stdout.splitlines()]
    assert [line["recipe"] for line in lines] == ["helper", "talk"]
    assert [step["stage"] for step in lines[0]["steps"]] == ["convert", "export", "fuse", "quantize"]
    assert lines[1]["steps"][-1]["stage"] == "configure"
    both = [json.loads(line) for line in shop.run("plan", "--json", "talk", "helper").stdout.splitlines()]
    assert [line["recipe"] for line in both] == ["talk", "helper"]


def test_draft_is_not_published_and_its_package_is_in_the_other(shop: Workshop) -> None:
    assert not (shop.folder / "build/helper").exists()
    talk = shop.folder / "build/talk"
    helper = json.loads((talk / "draft/forge.json").read_text())
    assert helper["sections"]["quantization"]["scheme"] == "int4"
    forge = json.loads((talk / "forge.json").read_text())
    assert forge["sections"]["quantization"]["scheme"] == "int8"
    assert forge["sections"]["generation"]["guesser"] == "draft"
    assert set(forge["inputs"]["configure"]) == {"package", "draft"}
    report = json.loads((shop.folder / "build/talk.json").read_text())
    size = sum(path.stat().st_size for path in talk.rglob("*") if path.is_file())
    assert size - 1000 < report["bytes"]["package"] < size  # forge.json gets its provenance last


def test_changed_settings_run_only_what_reads_them(shop: Workshop) -> None:
    changed = outcomes(shop, "talk", "--set", "generation.temperature=0.6", "--name", "warm")
    assert changed == dict.fromkeys(("convert", "export", "fuse", "quantize"), "reused") | {"configure": "built"}
    without = outcomes(shop, "talk", "--set", "~generation", "--name", "plain")
    assert without == dict.fromkeys(("convert", "export", "fuse", "quantize"), "reused")
    steps = shop.report("nano-cpu-int8")["steps"]
    made = {step["stage"]: step["key"] for step in json.loads((shop.folder / "build/plain.json").read_text())["steps"]}
    assert made == {step["stage"]: step["key"] for step in steps if step["outcome"] != "skipped"}
    why = shop.run("why", "talk", "configure", "--set", "generation.temperature=0.7", "--name", "hot").stdout
    assert "generation.temperature" in why and "--set generation.temperature=0.7" in why


def test_text_has_the_settings_of_the_package_unless_others_are_given(shop: Workshop, tmp_path: Path) -> None:
    shop.run("copy", "talk", str(tmp_path / "shipped"))
    for package in ("talk", str(tmp_path / "shipped")):
        (found,) = map(json.loads, shop.run("generate", package, PROMPT, "--seed", "1", "--json").stdout.splitlines())
        told = ("-t", "0.5", "-n", "12", "--seed", "1", "--json")
        (plain,) = map(json.loads, shop.run("generate", "nano-cpu-int8", PROMPT, *told).stdout.splitlines())
        assert found["tokens"] == 12 == plain["passes"] and found["passes"] < 12
        likeliest = shop.run("generate", package, PROMPT, "-t", "0", "-n", "30").stdout
        assert likeliest == shop.run("generate", "nano-cpu-int8", PROMPT, "-t", "0", "-n", "30").stdout
    alone = shop.run("generate", "talk", PROMPT, "--seed", "1", "--speculative", "none", "--json").stdout
    assert json.loads(alone)["passes"] == 12


def test_package_that_draws_nothing_says_which_options_are_idle(shop: Workshop) -> None:
    shop.run("build", "talk", "--set", "generation={temperature: 0}", "--name", "sure")
    done = shop.run("generate", "sure", PROMPT, "-n", "2", "--top-k", "4")
    assert "`--top-k` has no effect: the package's temperature of 0 draws nothing" in done.stderr


def test_build_is_up_to_date_until_the_recipe_of_the_draft_changes(shop: Workshop) -> None:
    def run() -> str:
        return shop.run("build", "talk", measured=True).stderr  # without `--skip`, which would not use a stamp

    run()
    assert run() == "current talk: nothing changed since it was built\n"
    recipe = shop.folder / "recipes/helper.yaml"
    recipe.write_text(HELPER.replace("granularity: 32", "granularity: 64"))
    try:
        assert run().splitlines()[-1].endswith("draft changed")
    finally:
        recipe.write_text(HELPER)


def test_draft_with_another_vocabulary_is_told_by_the_plan_with_its_place(shop: Workshop) -> None:
    other = shop.folder / "other"
    shutil.copytree(ROOT / "examples/nano", other)
    tokens = json.loads((other / "encoder.json").read_text())
    first, second, *_ = tokens
    tokens[first], tokens[second] = tokens[second], tokens[first]
    (other / "encoder.json").write_text(json.dumps(tokens))
    (shop.folder / "recipes/stranger.yaml").write_text(
        "name: stranger\nextends: nano-cpu-int8.yaml\nsource: {checkpoint: other}\n"
    )
    (shop.folder / "recipes/strange.yaml").write_text(MODEL.replace("talk", "strange").replace("helper", "stranger"))
    done = shop.run("plan", "strange", code=1)
    assert done.stderr == (
        "error: recipes/strange.yaml:8:17: `generation.speculative.draft: stranger`: the vocabulary of `stranger` is "
        "another one (2 of its tokens are not those of `strange`), so it cannot guess; name the recipe of a model with "
        "the same vocabulary, or use `prompt-lookup`\n"
    )
