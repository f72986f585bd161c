"""Generated tokens are those of PyTorch, alone and beside others; nothing that measures imports their choice."""

from pathlib import Path

import numpy as np
import pytest

from gpt2forge.graph.passes import PASSES
from gpt2forge.plan.code import find_reach
from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.generate import continue_texts, fill_holes
from gpt2forge.runtime.sampling import GREEDY, Sampling
from gpt2forge.store.stat_cache import StatCache
from tests.graph.models import Tiny, torch_logits
from tests.quantize.packages import FLOAT32, pack
from tests.runtime.texts import begin, run
from tests.workshop import ROOT

PROMPT = [5, 17, 80, 3]
RAGGED = [[5, 17, 80, 3], [9], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [5, 17, 80, 3], [100, 0]]


@pytest.fixture(scope="module")
def decoders(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Decoder]:
    """Return a decoder with a cache in place, and one with a growing cache."""
    found = {}
    for in_place, passes in ((True, tuple(PASSES)), (False, ())):
        folder = tmp_path_factory.mktemp("package") / "out"
        pack(tiny, folder, FLOAT32, passes)
        found[in_place] = open_decoder(folder, threads=1)
        assert found[in_place].in_place is in_place
    return found


@pytest.fixture(params=[True, False], ids=["in place", "growing"])
def decoder(request: pytest.FixtureRequest, decoders: dict[bool, Decoder]) -> Decoder:
    return decoders[request.param]


def test_greedy_tokens_are_those_of_pytorch(tiny: Tiny, decoder: Decoder) -> None:
    (added,) = run(decoder, [begin(PROMPT, 40)])
    logits = torch_logits(tiny.model, np.array([PROMPT + added]))[0]
    assert added == logits[len(PROMPT) - 1 : -1].argmax(axis=1).tolist()


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(top_p=0.9)], ids=["greedy", "drawn"])
def test_texts_of_any_lengths_beside_each_other_are_those_alone(decoder: Decoder, sampling: Sampling) -> None:
    """They leave one after the other, from the middle too; equal prompts have random numbers of their own."""
    limits = [20, 3, 30, 9, 14]
    together = run(
        decoder, [begin(*each, seed=row) for row, each in enumerate(zip(RAGGED, limits, strict=True))], sampling
    )
    alone = [
        run(decoder, [begin(*each, seed=row)], sampling)[0] for row, each in enumerate(zip(RAGGED, limits, strict=True))
    ]
    assert together == alone
    assert [len(tokens) for tokens in together] == limits


def test_prompts_that_are_read_one_by_one_give_the_same_texts(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = run(decoder, [begin(prompt, 12) for prompt in RAGGED])
    monkeypatch.setattr("gpt2forge.runtime.in_place_step.AT_ONCE", 10)
    assert run(decoder, [begin(prompt, 12) for prompt in RAGGED]) == at_once


def test_texts_of_one_batch_do_not_see_those_of_another(decoder: Decoder) -> None:
    alone = run(decoder, [begin(PROMPT, 10)])
    first, second = begin([1, 2, 3], 10), begin(PROMPT, 10)
    steps = [continue_texts(decoder, [text], Chooser(Edits(), GREEDY)) for text in (first, second)]
    for _ in zip(*steps, strict=True):
        pass
    assert [second.added.tolist()] == alone


@pytest.mark.parametrize("length", [1, 47])
def test_text_past_the_context_goes_on_from_the_newer_half(tiny: Tiny, decoder: Decoder, length: int) -> None:
    """Beside another text that slides later it is the same, and both are those of PyTorch with that window."""
    prompts = [tiny.ids(length).tolist(), [7, 8]]
    for prompt, added in zip(prompts, run(decoder, [begin(prompt, 80) for prompt in prompts]), strict=True):
        tokens, first, place = [*prompt, *added], 0, len(prompt)
        while place < len(tokens):
            logits = torch_logits(tiny.model, np.array([tokens[first : first + 48]]))[0]
            end = min(first + 48, len(tokens))
            assert tokens[place:end] == logits[place - 1 - first : end - 1 - first].argmax(axis=1).tolist()
            first, place = end - 24, end


def test_whole_context_can_be_used(decoder: Decoder) -> None:
    (added,) = run(decoder, [begin(PROMPT, 44)])
    assert len(added) == 44


def test_token_that_ends_a_text_is_no_part_of_it(decoder: Decoder) -> None:
    (tokens,) = run(decoder, [begin(PROMPT, 12, seed=3)], Sampling(temperature=2))
    text = begin(PROMPT, 12, ends=(tokens[7], tokens[9]), seed=3)
    assert run(decoder, [text], Sampling(temperature=2)) == [
        tokens[: min(tokens.index(tokens[7]), tokens.index(tokens[9]))]
    ]
    assert text.finish == "end"
    assert text.pieces[-2:] == [".", ""]


def test_stop_string_ends_the_text_before_it_and_its_tokens_count(decoder: Decoder) -> None:
    (tokens,) = run(decoder, [begin(PROMPT, 12)])
    stop = f" {tokens[4]} {tokens[5]}"
    text = begin(PROMPT, 12, stops=[stop])
    (found,) = run(decoder, [text])
    whole = " ".join(map(str, tokens))
    assert "".join(text.pieces) == whole[: whole.index(stop)]
    assert text.finish == "stop"
    assert found == tokens[: len(found)]
    assert found[-1] == tokens[5]


def test_limit_ends_the_text_and_what_waited_comes(decoder: Decoder) -> None:
    text = begin(PROMPT, 3, stops=[". and more"])
    run(decoder, [text])
    assert text.finish == "length"
    assert "".join(text.pieces) == " ".join(map(str, text.added.tolist())) + " ."


class Bell:
    """Is set once it has been asked some times."""

    def __init__(self, count: int) -> None:
        self.left = count

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("count", [0, 1, 5])
def test_cancelled_texts_keep_what_they_have(decoder: Decoder, count: int) -> None:
    texts = [begin(prompt, 20) for prompt in RAGGED]
    for _ in continue_texts(decoder, texts, Chooser(Edits(), GREEDY), Bell(count)):
        pass
    assert {text.finish for text in texts} == {"cancelled"}
    assert {len(text.added) for text in texts} == {count}


@pytest.mark.parametrize("kept", [[1, 1, 1], [0, 1, 1], [1, 0, 0, 1, 1, 0, 1], [0, 0], [1, 1, 0]])
def test_holes_are_filled_from_the_end_and_other_rows_stay(kept: list[int]) -> None:
    rows = fill_holes([bool(each) for each in kept])
    assert sorted(rows) == [row for row, each in enumerate(kept) if each]
    assert all(row == place or row >= len(rows) for place, row in enumerate(rows))


@pytest.mark.parametrize("stage", ["verify", "benchmark"])
def test_measuring_reaches_no_choice_of_tokens(tmp_path: Path, stage: str) -> None:
    """A new sampling option must not change the key of a measurement."""
    reach = find_reach([ROOT / f"gpt2forge/stages/{stage}.py"], StatCache(tmp_path / "stat_cache"))
    assert "gpt2forge.runtime.decoder" in reach
    names = ("generate", "generation", "sampling", "choice", "growing_text", "model", "open_model", "chat")
    assert not reach.keys() & {f"gpt2forge.runtime.{name}" for name in names}
