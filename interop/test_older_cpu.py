"""nano on an emulated CPU without VNNI: int8 per channel is wrong in plain onnxruntime and right in our runtime, and
7 bits per channel are right in both.

qemu runs this Python interpreter on an emulated Intel Haswell, whose AVX2 saturates when it multiplies uint8 by int8.
Right means as near to float32 as on a CPU with VNNI; a few integers may round the other way.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from interop.environments import need_program
from tests.workshop import ROOT, make_workshop

PROGRAM = Path(__file__).parent / "older_cpu/logits.py"
QEMU, DEBIAN_PACKAGE = "qemu-x86_64", "qemu-user"
CPU = "Haswell"
ROWS, LENGTH = 6, 64
NAMES = ("nano-cpu-fp32", "nano-vnni-int8", "nano-cpu-int8", "nano-cpu@channel")
SAME = 0.1  # relative difference up to which two KL divergences count as equal

Logits = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Gap:
    """The difference of two sets of logits.

    `largest` is the largest difference as a share of the spread, `top1` the share of equal likeliest tokens, `kl` the
    mean KL divergence in nats.
    """

    largest: float
    top1: float
    kl: float


def measure(found: Logits, expected: Logits) -> Gap:
    """Compare logits (N, S, V); `kl` is the mean over positions, in nats."""
    ours, theirs = log_softmax(found), log_softmax(expected)
    return Gap(
        float(np.abs(found - expected).max() / np.ptp(expected)),
        float((found.argmax(-1) == expected.argmax(-1)).mean()),
        float((np.exp(theirs) * (theirs - ours)).sum(-1).mean()),
    )


def log_softmax(logits: Logits) -> np.ndarray[Any, np.dtype[np.float64]]:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


@pytest.fixture(scope="module")
def emulator() -> list[str]:
    """Return the command that runs a program on the older CPU. Install it if possible, fail otherwise."""
    if platform.machine() != "x86_64":
        pytest.fail(
            f"this test runs this Python interpreter on an emulated {CPU}, so it needs an x86-64 machine; run it on one"
        )
    return [str(need_program(QEMU, DEBIAN_PACKAGE)), "-cpu", CPU]


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Logits]:
    """Return a function that runs a package: `answer(name, how, *command)`; `command` is put before the interpreter."""
    folder = tmp_path_factory.mktemp("older_cpu")
    workshop = make_workshop(folder / "workshop")
    packages = {name: workshop.build(name) for name in NAMES}
    ids = Tokenizer.from_file(str(packages["nano-cpu-fp32"] / "tokenizer.json")).encode(
        (ROOT / "examples/nano/heldout.txt").read_text()
    )
    np.save(folder / "tokens.npy", np.array(ids.ids[: ROWS * LENGTH], np.int64).reshape(ROWS, LENGTH))
    # The interpreter behind the virtualenv's link. It does not find the virtualenv's packages by itself.
    python, path = Path(sys.executable).resolve(), os.pathsep.join([str(ROOT), *filter(None, sys.path)])

    def run(name: str, how: str, *command: str) -> Logits:
        words = [*command, str(python), str(PROGRAM), str(packages[name]), how]
        words += [str(folder / "tokens.npy"), str(folder / "logits.npy")]
        done = subprocess.run(words, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        logits: Logits = np.load(folder / "logits.npy")
        return logits

    return run


@pytest.fixture(scope="module")
def float32(answer: Callable[..., Logits]) -> Logits:
    return answer("nano-cpu-fp32", "plain")


@pytest.fixture(scope="module")
def channels(answer: Callable[..., Logits]) -> Logits:
    """Return the logits of int8 per channel in our runtime on this machine, whatever its CPU."""
    return answer("nano-vnni-int8", "ours")


def report(what: str, near: Gap, float32: Gap) -> None:
    print(
        f"{what}: from the same here: {near.largest:.1e} of the spread, top-1 {near.top1:.1%}, KL {near.kl:.1e}; "
        f"from float32: {float32.largest:.1e}, top-1 {float32.top1:.1%}, KL {float32.kl:.2e}"
    )


def test_channels_saturate_in_plain_onnxruntime(
    answer: Callable[..., Logits], emulator: list[str], channels: Logits, float32: Logits
) -> None:
    found = answer("nano-vnni-int8", "plain", *emulator)
    near, far, right = measure(found, channels), measure(found, float32), measure(channels, float32)
    report("here, per channel, in our runtime", measure(channels, channels), right)
    report(f"{CPU}, per channel, in plain onnxruntime", near, far)
    assert far.kl > 3 * right.kl
    assert near.largest > 0.03
    assert near.top1 < 0.97


def test_channels_are_right_in_our_runtime(
    answer: Callable[..., Logits], emulator: list[str], channels: Logits, float32: Logits
) -> None:
    found = answer("nano-vnni-int8", "ours", *emulator)
    near, far, right = measure(found, channels), measure(found, float32), measure(channels, float32)
    report(f"{CPU}, per channel, in our runtime", near, far)
    assert far.kl == pytest.approx(right.kl, rel=SAME)
    assert near.largest < 0.02
    assert near.top1 > 0.98


@pytest.mark.parametrize("name", ["nano-cpu-int8", "nano-cpu@channel"])
def test_packages_for_any_cpu_are_right_in_plain_onnxruntime(
    answer: Callable[..., Logits], emulator: list[str], float32: Logits, name: str
) -> None:
    here, found = answer(name, "plain"), answer(name, "plain", *emulator)
    near, far, right = measure(found, here), measure(found, float32), measure(here, float32)
    report(f"here, {name}, in plain onnxruntime", measure(here, here), right)
    report(f"{CPU}, {name}, in plain onnxruntime", near, far)
    assert far.kl == pytest.approx(right.kl, rel=SAME)
    assert near.largest < 0.03
    assert near.top1 > 0.97
