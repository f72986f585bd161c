"""Token by token, a package says what PyTorch says."""

from pathlib import Path

import numpy as np
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.sampling import Sampling, choose_likeliest, make_sampler
from tests.graph.models import Tiny, torch_logits
from tests.quantize.packages import FLOAT32, SCHEMES, pack

PROMPT = [5, 17, 80, 3]


@pytest.mark.parametrize(("passes", "in_place"), [(tuple(PASSES), True), ((), False)])
def test_greedy_tokens_are_those_of_pytorch(
    tiny: Tiny, tmp_path: Path, passes: tuple[str, ...], in_place: bool
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    assert decoder.in_place is in_place
    tokens = list(PROMPT)
    for _ in range(40):
        tokens.append(int(torch_logits(tiny.model, np.array([tokens]))[0, -1].argmax()))
    assert list(decoder.generate(PROMPT, 40, choose_likeliest)) == tokens[len(PROMPT) :]


@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_equal_one_pass(tiny: Tiny, tmp_path: Path, scheme: str, passes: tuple[str, ...]) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme], passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    tokens = tiny.ids(20)
    step = decoder.start(30)
    for token in tokens:
        last = step(np.array([[token]])).copy()
    whole = decoder.start(20)(tokens[None])
    assert np.abs(last - whole).max() / np.ptp(whole) < (1e-5 if scheme == "float32" else 0.05)


@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
def test_texts_beside_each_other_are_those_alone(tiny: Tiny, tmp_path: Path, passes: tuple[str, ...]) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    texts = np.stack([tiny.ids(9), tiny.ids(9)[::-1]])
    together, alone = decoder.start(9, batch=2), [decoder.start(9) for _ in texts]
    for piece in (texts[:, :4], *(texts[:, place : place + 1] for place in range(4, 9))):
        both = together(piece)
        for row, step in enumerate(alone):
            single = step(piece[row : row + 1])[0]
            assert np.abs(both[row] - single).max() / np.ptp(single) < 1e-5


def test_stop_token_ends_unseen(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    tokens = list(decoder.generate(PROMPT, 12, make_sampler(Sampling(temperature=2, seed=3))))
    stop = tokens[7]
    again = decoder.generate(PROMPT, 12, make_sampler(Sampling(temperature=2, seed=3)), stop)
    assert list(again) == tokens[: tokens.index(stop)]


def test_a_second_text_does_not_see_the_first(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    alone = list(decoder.generate(PROMPT, 10, choose_likeliest))
    first, second = decoder.generate([1, 2, 3], 10, choose_likeliest), decoder.generate(PROMPT, 10, choose_likeliest)
    assert [token for _, token in zip(first, second, strict=True)] == alone


def test_whole_context_can_be_used(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    assert len(list(decoder.generate(PROMPT, 44, choose_likeliest))) == 44


@pytest.mark.parametrize(
    ("prompt", "count", "message"),
    [
        ([], 5, "the prompt is empty; give at least one token"),
        ([101], 5, "the prompt holds a token that is not among this model's 101"),
        (
            PROMPT,
            45,
            "the prompt's 4 tokens and 45 new ones are more than this model's 48; ask for at most 44 new ones",
        ),
        ([1] * 48, 1, "the prompt's 48 tokens and 1 new ones are more than this model's 48; shorten the prompt"),
    ],
)
def test_prompt_that_cannot_be_continued_is_an_error(
    tiny: Tiny, tmp_path: Path, prompt: list[int], count: int, message: str
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    with pytest.raises(UserError) as error:
        decoder.generate(prompt, count, choose_likeliest)
    assert str(error.value) == message
