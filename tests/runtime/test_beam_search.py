"""Beams find what those of transformers find, with the same scores."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.beam_search import search_beams
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.filters import find_top
from gpt2forge.runtime.forced_words import has_all
from gpt2forge.runtime.hypothesis import Hypothesis
from tests.graph.models import Array, Tiny
from tests.quantize.packages import FLOAT32, pack

LIMIT = 14


@pytest.fixture(scope="module", params=[True, False], ids=["in place", "growing"])
def decoder(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Decoder:
    folder = tmp_path_factory.mktemp("package") / "out"
    pack(tiny, folder, FLOAT32, tuple(PASSES) if request.param else ())
    return open_decoder(folder, threads=1)


def search(decoder: Decoder, prompt: list[int], **options: object) -> list[Hypothesis]:
    (*_, last) = search_beams(decoder, prompt, limit=LIMIT, **options)  # type: ignore[arg-type]
    return last


def search_theirs(
    tiny: Tiny, prompt: list[int], beams: int, ends: list[int], penalty: float
) -> list[tuple[tuple[int, ...], float]]:
    """Return the new tokens and the score of each of transformers' beams."""
    found = tiny.model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
        max_new_tokens=LIMIT,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=penalty,
        do_sample=False,
        eos_token_id=ends,
        pad_token_id=100,
        early_stopping=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    rows = [row[len(prompt) :].tolist() for row in found.sequences]
    cut = [next((place + 1 for place, token in enumerate(row) if token in ends), LIMIT) for row in rows]
    return [
        (tuple(row[:end]), score) for row, end, score in zip(rows, cut, found.sequences_scores.tolist(), strict=True)
    ]


ENDS = {"one": [7], "several": [3, 50, 90], "many": list(range(40))}


@pytest.mark.parametrize(
    ("prompt", "ends", "beams", "penalty"),
    [
        ([5, 17, 80, 3], "one", 4, 1.0),
        ([1], "several", 2, 0.0),
        ([1], "several", 4, 2.5),
        ([9, 9, 2], "many", 2, -1.0),
        ([9, 9, 2], "many", 4, 1.0),
    ],
)
def test_beams_are_those_of_transformers(
    tiny: Tiny, decoder: Decoder, prompt: list[int], ends: str, beams: int, penalty: float
) -> None:
    found = search(decoder, prompt, beams=beams, ends=ENDS[ends], length_penalty=penalty)
    wanted = search_theirs(tiny, prompt, beams, ENDS[ends], penalty)
    assert [each.tokens for each in found] == [tokens for tokens, _ in wanted]
    assert [each.value(penalty) for each in found] == pytest.approx([score for _, score in wanted], rel=1e-4)


def test_one_beam_is_greedy(decoder: Decoder) -> None:
    step, tokens = decoder.start(20), [5, 17, 80, 3]
    logits = step(np.array([tokens]))
    greedy = []
    for _ in range(LIMIT):
        greedy.append(int(logits[0].argmax()))
        logits = step(np.array([[greedy[-1]]]))
    assert search(decoder, tokens, beams=1, ends=[])[0].tokens == tuple(greedy)


def test_forbidden_tokens_are_in_no_hypothesis(decoder: Decoder) -> None:
    def forbid(scores: Array, texts: object) -> Array:
        return np.where(np.arange(scores.shape[1]) < 95, -np.inf, scores)

    found = search(decoder, [1, 2], beams=5, ends=[], edit=forbid)
    assert len(found) == 5
    assert {token for each in found for token in each.tokens} <= set(range(95, 101))
    with pytest.raises(UserError, match=r"^no token is left to choose"):
        search(decoder, [1, 2], beams=2, ends=[], edit=lambda scores, texts: scores - np.inf)


def test_top_is_that_of_a_full_sort() -> None:
    values = np.random.default_rng(0).permutation(500).astype(np.float32)
    for count in (1, 7, 500, 600):
        assert find_top(values, count).tolist() == np.argsort(-values)[:count].tolist()


WORDS = [[(41, 7, 41), (8, 41, 7, 41)], [(60,)], [(7, 41)]]


@pytest.mark.parametrize("ends", [[], list(range(70, 100))])
def test_forced_words_are_in_every_hypothesis(decoder: Decoder, ends: list[int]) -> None:
    plain = search(decoder, [1, 2], beams=6, ends=ends)
    assert not any(has_all(each.tokens, WORDS) for each in plain)
    found = search(decoder, [1, 2], beams=6, ends=ends, words=WORDS)
    assert found
    assert all(has_all(each.tokens, WORDS) for each in found)
    for each in found:
        logits = decoder.read(np.array([[1, 2, *each.tokens]]))[0, 1:-1]
        rows = torch.log_softmax(torch.tensor(logits).double(), -1)
        assert each.total == pytest.approx(float(rows[range(len(each.tokens)), each.tokens].sum()), rel=1e-4)


def test_enough_beams_find_the_best_text_with_the_word(decoder: Decoder) -> None:
    """Of six tokens there are 216 texts of three, 91 of them with the token 3."""

    def keep_six(scores: Array, texts: object) -> Array:
        return np.where(np.arange(scores.shape[1]) < 6, scores, -np.inf)

    options = {"beams": 60, "ends": [], "edit": keep_six, "words": [[(3,)]]}
    (*_, found) = search_beams(decoder, [9], limit=3, **options)  # type: ignore[arg-type]
    texts = [text for text in np.ndindex(6, 6, 6) if 3 in text]
    logits = torch.tensor(decoder.read(np.array([(9, *text) for text in texts]))[:, :-1]).double()
    rows = torch.log_softmax(logits, -1)
    totals = [
        sum(float(row[place, token]) for place, token in enumerate(text)) for row, text in zip(rows, texts, strict=True)
    ]
    best = int(np.argmax(totals))
    assert (found[0].tokens, found[0].total) == (texts[best], pytest.approx(totals[best], rel=1e-4))


def test_words_that_do_not_fit_leave_no_hypothesis(decoder: Decoder) -> None:
    (*_, found) = search_beams(decoder, [9], beams=3, limit=2, ends=[], words=[[(1, 2, 3)]])
    assert found == []
