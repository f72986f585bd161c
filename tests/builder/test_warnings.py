"""Warnings about a model that knows no more of a text than a guess, or than zlib."""

from pathlib import Path

import pytest

from gpt2forge.builder.measurements import MeasuredText
from gpt2forge.builder.warnings import warn_of_stranger
from gpt2forge.recipe.load import load_recipe
from tests.reports import make_report

RECIPE = "name: x\nsource: {checkpoint: here}\ntarget: {device: cpu}\nverify: {text: there}\n"


def warn(folder: Path, perplexity: float, *, bytes: int, zlib_bytes: int, positions: int = 10_000) -> list[str]:
    (folder / "x.yaml").write_text(RECIPE)
    verify = make_report(verify__perplexity_reference=perplexity, verify__positions=positions).verify
    assert verify is not None
    text = MeasuredText(bytes=bytes, zlib_bytes=zlib_bytes, vocabulary=50257)
    found = warn_of_stranger(load_recipe(str(folder / "x.yaml")), verify, text)
    return [line.replace(f"{folder}/", "") for line in found]


def test_perplexity_near_the_size_of_the_vocabulary_is_pointed_out(tmp_path: Path) -> None:
    assert warn(tmp_path, 48_000, bytes=40_000, zlib_bytes=13_000) == [
        "x.yaml:2:10: PyTorch's perplexity of 48000 is hardly better than a guess among all 50257 tokens: the model is "
        "not trained, or has another tokenizer, or `verify.text` is in a language that it does not know"
    ]


def test_text_that_zlib_predicts_better_is_of_another_language(tmp_path: Path) -> None:
    """A hundred likely tokens of 1.3 bytes each: Chinese for a model that was trained on English."""
    assert warn(tmp_path, 30, bytes=13_000, zlib_bytes=5200) == [
        "x.yaml:4:10: the model needs 3.8 bits for each byte of the text, and zlib, which knows no language, 3.2; is "
        "the text in the model's language? Give text like what the model is for"
    ]


@pytest.mark.parametrize(
    ("perplexity", "bytes", "zlib_bytes", "positions"),
    [
        (59.08, 79_764, 23_990, 26_765),  # the example model on its own text
        (20, 42_000, 15_000, 10_000),  # English
        (48_000, 400, 130, 100),  # too few tokens to say anything; another warning says so
        (30, 30_000, 1200, 10_000),  # a text that repeats itself
        (30, 0, 0, 10_000),
    ],
)
def test_known_text_is_not_warned_of(
    tmp_path: Path, perplexity: float, bytes: int, zlib_bytes: int, positions: int
) -> None:
    assert warn(tmp_path, perplexity, bytes=bytes, zlib_bytes=zlib_bytes, positions=positions) == []
