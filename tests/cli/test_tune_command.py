"""`gpt2forge tune` on a tiny model."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy")

from tests.graph.models import Shape, make_model
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

RECIPE = """\
name: tiny
source: {checkpoint: tiny, tokenizer: none}
target: {device: cpu}
quantization: {scheme: int4}
calibration: {text: calibration.txt, tokens: 960}
verify: {text: heldout.txt, tokens: 960}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("tune") / "here"
    make_model(folder / "tiny", Shape(layers=1))
    for seed, name in enumerate(("calibration", "heldout")):
        ids = np.random.default_rng(seed).integers(0, 100, 960)
        (folder / f"{name}.txt").write_text(" ".join(map(str, ids)))
    (folder / "recipes").mkdir()
    (folder / "recipes/tiny.yaml").write_text(RECIPE)
    return Workshop(folder)


def test_recipe_within_the_limits_is_written_and_builds(shop: Workshop) -> None:
    found = json.loads(shop.run("tune", "tiny", "--max-kl", "0.02", "--json").stdout)
    place = shop.folder / "recipes/tiny-tuned.yaml"
    assert found["recipe"] == "recipes/tiny-tuned.yaml"
    assert found["tuned"]["verify"]["kl_mean"] <= 0.02
    assert place.read_text().startswith("# Chosen by `gpt2forge tune tiny --objective size --max-kl 0.02`.\n")
    report = shop.report("tiny-tuned", measured=True)
    assert {step["outcome"] for step in report["steps"]} == {"reused"}
    assert report["bytes"] == found["tuned"]["bytes"]

    again = shop.run("tune", "tiny", "--max-kl", "0.02")  # nothing is measured again
    assert "built" not in again.stderr
    assert place.read_text().count("Chosen by") == 1


def test_recipe_to_start_from_is_no_result_if_it_is_too_large(shop: Workshop) -> None:
    start = shop.report("tiny", measured=True)["bytes"]["package"]
    most = start * 9 // 10
    found = json.loads(shop.run("tune", "tiny", "--max-size", str(most), "--name", "tiny-small", "--json").stdout)
    assert found["tuned"]["bytes"]["package"] <= most < start


def test_objective_of_time_measures_products_on_this_machine(shop: Workshop) -> None:
    words = ("--objective", "latency", "--max-kl", "0.02", "--name", "tiny-fast")
    done = shop.run("tune", "tiny", *words)
    assert "built   form_costs" in " ".join(done.stderr.split(" "))
    text = (shop.folder / "recipes/tiny-fast.yaml").read_text()
    assert text.startswith("# Chosen by `gpt2forge tune tiny --objective latency --max-kl 0.02`.\n")
    assert "# The change, with its interval: size " in text
    assert shop.report("tiny-fast", measured=True)["error"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny"], "tiny: there is no limit to tune for; give `--max-kl`, `--max-perplexity-increase` or `--max-size`"),
        (["tiny", "--max-size", "x"], "Invalid value for '--max-size': must be a size, as in `20GB` or `500MB`"),
        (
            ["tiny", "--max-kl", "1", "--name", "tiny"],
            "recipes/tiny.yaml: is there already, and `tune` did not write it; choose another `--name`",
        ),
    ],
)
def test_slip_of_the_pen_is_one_line(shop: Workshop, words: list[str], message: str) -> None:
    assert shop.run("tune", *words, code=1).stderr == f"error: {message}\n"
