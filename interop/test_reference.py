"""In float32, our own runtime's tokens, which are the reference for the hosts, are those of PyTorch."""

import pytest
import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from interop.prompts import NEW
from interop.reference import Continuation
from tests.workshop import ROOT


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> GPT2LMHeadModel:
    folder = tmp_path_factory.mktemp("weights")
    convert_checkpoint(ROOT / "examples/nano", folder)
    return GPT2LMHeadModel.from_pretrained(folder).eval()


@pytest.mark.parametrize("place", range(3))
def test_float32_tokens_are_those_of_pytorch(
    place: int, oracle: GPT2LMHeadModel, expected: dict[str, list[Continuation]]
) -> None:
    continuation = expected["nano-cpu-fp32"][place]
    ids = torch.tensor([continuation.ids])
    said = oracle.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False)
    assert said[0].tolist() == [*continuation.ids, *continuation.tokens]


def test_int4_goes_on_differently(expected: dict[str, list[Continuation]]) -> None:
    """Check that packages differ, so that the tests notice a host that runs the wrong package."""
    assert expected["nano-cpu-int4"][2].tokens != expected["nano-cpu-fp32"][2].tokens
