"""`gpt2forge ablate` on the example."""

import json

import pytest

from tests.workshop import Workshop

pytestmark = pytest.mark.slow

LITTLE = [
    word
    for change in ("verify.tokens=2048", "~benchmark", "fusion.attention=false", "fusion.bias=false")
    for word in ("--set", change)
]


def test_each_choice_is_worth_something_or_noise(measured: Workshop) -> None:
    done = measured.run("ablate", "nano-cpu-int8", *LITTLE, "--json")
    effects = {each["choice"]: each for each in json.loads(done.stdout)["effects"]}
    storages = [f"quantization.{each}" for each in ("scheme: int8", "embeddings: int8", "positions: float16")]
    assert list(effects) == ["fusion.gelu", *storages]
    scheme = effects["quantization.scheme: int8"]
    assert scheme["size"]["value"] < -0.3 and scheme["kl"]["value"] > 1e-4
    assert not scheme["kl"]["is_noise"]
    assert effects["fusion.gelu"]["kl"]["value"] == pytest.approx(0, abs=1e-4)
    assert scheme["token"] is None  # nothing was timed
    assert not (measured.folder / "build/ablation").exists()

    again = measured.run("ablate", "nano-cpu-int8", *LITTLE, "--markdown", "--html", "choices.html")
    assert "built" not in again.stderr  # every step is reused
    page = (measured.folder / "choices.html").read_text()
    assert "What each choice buys" in page and "Time by operator" in page
    assert again.stdout.startswith("| choice | size | new token | prompt | KL, nats a token |\n| --- |")


def test_a_recipe_without_choices_is_one_line(measured: Workshop) -> None:
    words = [word for name in ("attention", "gelu", "bias") for word in ("--set", f"fusion.{name}=false")]
    done = measured.run("ablate", "nano-cpu-fp32", *words, code=1)
    assert done.stderr == "error: ablation: has no fusion and no quantization that could be turned off\n"


def test_a_page_that_cannot_be_written_is_refused_before_any_work(measured: Workshop) -> None:
    done = measured.run("ablate", "nano-cpu-int8", "--html", "nowhere/page.html", code=1)
    assert done.stderr.startswith("error: nowhere/page.html: there is no folder `nowhere`")
