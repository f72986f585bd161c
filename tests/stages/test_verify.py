"""reference and verify in real builds: what is recorded, what is shared, what is measured again."""

import shutil
import zlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.likelihood import log_softmax
from gpt2forge.runtime.text import read_tokenizer
from tests.workshop import ROOT, Workshop

pytestmark = pytest.mark.slow

LENGTH = 256  # nano's context
TOKENS = 2048


@pytest.fixture(scope="module")
def report(measured: Workshop) -> dict[str, Any]:
    return measured.prove("nano-cpu-int8")


def find_outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {step["stage"]: step["outcome"] for step in report["steps"]}


def test_numbers_are_those_of_the_whole_distributions(measured: Workshop, report: dict[str, Any]) -> None:
    weights = measured.store / "artifacts" / report["steps"][0]["digest"]
    text = (ROOT / "examples/nano/heldout.txt").read_text()
    windows = np.array(read_tokenizer(weights).encode(text).ids[:TOKENS]).reshape(-1, LENGTH)
    model = GPT2LMHeadModel.from_pretrained(weights).eval()
    with torch.inference_mode():
        reference = model(torch.from_numpy(windows)).logits.numpy()
    decoder = open_decoder(measured.folder / report["output"])
    p = np.concatenate([log_softmax(logits[:-1]) for logits in reference])
    q = np.concatenate([log_softmax(decoder.read(window[None])[0, :-1]) for window in windows])
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    following = windows[:, 1:].ravel()
    places = np.arange(len(following))

    found = report["verify"]
    assert found["perplexity"] == pytest.approx(np.exp(-q[places, following].mean()), rel=1e-6)
    assert found["perplexity_reference"] == pytest.approx(np.exp(-p[places, following].mean()), rel=1e-5)
    assert found["kl_mean"] == pytest.approx(kl.mean(), rel=0.02)
    assert found["kl_median"] == pytest.approx(np.median(kl), rel=0.03)
    assert found["kl_p99"] == pytest.approx(np.percentile(kl, 99), rel=0.1)
    assert found["kl_mean_least"] <= kl.mean()
    assert found["top1_agreement"] == pytest.approx((p.argmax(axis=1) == q.argmax(axis=1)).mean(), abs=1e-3)
    assert (found["windows"], found["tokens"], found["window"], found["stride"]) == (8, TOKENS, LENGTH, LENGTH)
    used = read_tokenizer(weights).decode(windows.ravel().tolist()).encode()
    assert report["text"] == {"bytes": len(used), "zlib_bytes": len(zlib.compress(used, 9)), "vocabulary": 4096}
    assert text.encode().startswith(used)


def test_variants_share_one_reference(measured: Workshop, report: dict[str, Any]) -> None:
    other = measured.prove("nano-cpu-fp32")
    assert find_outcomes(other)["reference"] == "reused"
    assert other["verify"]["perplexity_reference"] == report["verify"]["perplexity_reference"]
    assert abs(other["verify"]["perplexity_increase"]) < 1e-5
    assert other["verify"]["kl_mean"] < 1e-6


def test_editing_a_limit_measures_nothing_again(measured: Workshop, report: dict[str, Any]) -> None:
    again = measured.prove("nano-cpu-int8", "--set", "verify.max_kl=0.5")
    assert set(find_outcomes(again).values()) == {"reused"}
    assert again["verify"] == report["verify"]


def test_another_text_is_measured_anew_and_a_moved_one_is_not(measured: Workshop, report: dict[str, Any]) -> None:
    shutil.copy(ROOT / "examples/nano/heldout.txt", measured.folder / "moved.txt")
    moved = measured.prove("nano-cpu-int8", "--set", "verify.text=moved.txt")
    assert set(find_outcomes(moved).values()) == {"reused"}
    (measured.folder / "other.txt").write_text("def f(x):\n    return x\n" * 50)
    words = (
        "--set",
        "verify.text=other.txt",
        "--set",
        "verify.max_perplexity_increase=100%",
        "--set",
        "verify.max_kl=9",
    )
    other = find_outcomes(measured.prove("nano-cpu-int8", *words))
    assert [stage for stage, outcome in other.items() if outcome == "built"] == ["reference", "verify"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"caf\xe9 au lait", "is not UTF-8 text at byte 3; convert it first"),
        (b"", "is empty; use a text of some thousands of tokens"),
    ],
)
def test_text_that_cannot_be_read_is_one_line(measured: Workshop, data: bytes, message: str) -> None:
    (measured.folder / "bad.txt").write_bytes(data)
    words = ("--set", "verify.text=bad.txt", "--name", "bad")
    for command in ("plan", "build"):
        done = measured.run(command, "nano-cpu-int8", *words, code=1, measured=True)
        assert done.stderr == f"error: --set verify.text=bad.txt: bad.txt: {message}\n"
    assert not (measured.folder / "build/bad").exists()


def test_text_of_one_token_is_one_line_and_of_a_few_is_warned_of(measured: Workshop) -> None:
    (measured.folder / "short.txt").write_text("x")
    words = ("nano-cpu-int8", "--set", "verify.text=short.txt", "--set", "verify.max_perplexity_increase=100%")
    report = measured.prove(*words, "--set", "verify.max_kl=9", "--skip", "benchmark", code=1)
    assert report["error"] == (
        "short.txt: nothing can be predicted from 1 tokens in a context of 256; use a text of some thousands of tokens"
    )
    (measured.folder / "short.txt").write_text("def short(x): return x\n" * 9)
    report = measured.prove(*words, "--set", "verify.max_kl=9", "--skip", "benchmark")
    positions = report["verify"]["positions"]
    assert report["warnings"] == [
        f"--set verify.text=short.txt: {positions} predicted tokens are too few to measure a model by; give "
        "`verify.text` some thousands"
    ]


def test_missing_text_is_named_with_its_place(measured: Workshop) -> None:
    words = ("--set", "verify.text=texts/gone", "--name", "bad")
    done = measured.run("build", "nano-cpu-int8", *words, code=1, measured=True)
    assert done.stderr == (
        "error: --set verify.text=texts/gone: `verify.text: texts/gone`: there is no such file; name a file, by "
        f"its path from the project, `{measured.folder}`\n"
    )


def test_own_checkpoint_on_the_examples_text_is_warned_of(measured: Workshop) -> None:
    shutil.copytree(ROOT / "examples/nano", measured.folder / "mine")
    report = measured.prove("nano-cpu-int8", "--set", "source.checkpoint=mine", "--skip", "benchmark")
    assert report["warnings"] == [
        "recipes/base/cpu.yaml:7:3: `examples/nano/heldout.txt` is Python code for the example model; it shows little "
        "about the accuracy of another model: give `verify.text` pages of text like what your model is for"
    ]


def test_example_itself_is_not_warned_of(report: dict[str, Any]) -> None:
    assert report["warnings"] == []
