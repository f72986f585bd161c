"""Adapters that peft 0.21.2 saved give its logits; tests/checkpoint/peft_writer.py wrote them."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.format import Wanted
from tests.checkpoint.tiny import DATA

IDS = [5, 250, 17, 3, 99, 0, 1]
CASES = sorted(path.parent.name for path in (DATA / "peft").glob("*/logits.json"))


def compute(folder: Path) -> np.ndarray:
    with torch.no_grad():
        return GPT2LMHeadModel.from_pretrained(folder).eval()(torch.tensor([IDS])).logits[0].numpy()


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_peft(tmp_path: Path, case: str) -> None:
    base, adapter = DATA / "peft/base", DATA / "peft" / case
    convert_checkpoint(base, tmp_path, wanted=Wanted(adapter=True), adapter=adapter)
    found, expected = compute(tmp_path), np.array(json.loads((adapter / "logits.json").read_text()))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-5
    shared = compute(base)
    assert np.abs(shared - expected[:, : shared.shape[1]]).max() > 0.01


def test_every_way_to_adapt_is_tried() -> None:
    assert len(CASES) == 8
