"""A smaller model's guesses are what it finds likeliest, and change no text."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.draft import Draft, check_draft, count_equal
from gpt2forge.runtime.generate import continue_texts
from gpt2forge.runtime.sampling import GREEDY, Sampling
from gpt2forge.runtime.speculation import guess_and_check
from tests.graph.models import Shape, Tiny, make_tiny
from tests.quantize.packages import FLOAT32, pack
from tests.runtime.texts import begin

PROMPT = [5, 17, 80, 3]


@dataclass(frozen=True)
class Package:
    """An open package, as a Model is."""

    decoder: Decoder
    folder: Path
    tokenizer: Tokenizer


def name_tokens(count: int) -> Tokenizer:
    return Tokenizer(WordLevel({str(token): token for token in range(count)}, unk_token="0"))


@pytest.fixture(scope="module")
def model(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("package") / "out"
    pack(tiny, folder, FLOAT32, tuple(PASSES))
    return Package(open_decoder(folder, threads=1), folder, name_tokens(101))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Return a smaller model with half the context, whose cache grows."""
    folder = tmp_path_factory.mktemp("short")
    pack(make_tiny(folder, Shape(positions=24, layers=1)), folder / "out", FLOAT32, ())
    return Package(open_decoder(folder / "out", threads=1), folder / "out", name_tokens(101))


def test_guesses_are_the_likeliest_tokens(model: Package) -> None:
    text = begin(PROMPT, 20)
    for _ in continue_texts(model.decoder, [text], Chooser(Edits(), GREEDY)):
        pass
    draft = Draft(model, model)
    for seen in (4, 6, 5, 14, 9):
        assert draft.guess(text.tokens[:seen], 5) == text.tokens[seen : seen + 5].tolist()
    assert draft.cost == 1


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(temperature=1.2, top_p=0.9)], ids=["greedy", "drawn"])
@pytest.mark.parametrize("limit", [40, 130])
def test_text_is_the_one_without_a_draft(model: Package, short: Package, sampling: Sampling, limit: int) -> None:
    """The longer text goes past both contexts."""
    choose = Chooser(Edits(), sampling)
    plain = begin(PROMPT, limit)
    for _ in continue_texts(model.decoder, [plain], choose):
        pass
    for draft in (model, short):
        text = begin(PROMPT, limit)
        for _ in guess_and_check(model.decoder, text, choose, Draft(draft, model)):
            pass
        assert text.tokens.tolist() == plain.tokens.tolist()


def test_draft_of_half_the_context_guesses_from_the_end_of_the_text(short: Package, model: Package) -> None:
    tokens = np.random.default_rng(0).integers(0, 101, 60)
    draft = Draft(short, model)
    for seen in (5, 23, 24, 40, 60):
        assert len(draft.guess(tokens[:seen], 4)) == 4
        assert draft.step.length <= 24


def test_other_vocabulary_is_one_line(model: Package) -> None:
    check_draft(model, model)
    with pytest.raises(UserError, match=r"^the draft has another vocabulary than the model, so it guesses tokens of"):
        check_draft(Package(model.decoder, model.folder, name_tokens(100)), model)


def test_equal_beginning_is_counted() -> None:
    assert count_equal([1, 2, 3], [1, 2, 4]) == 2
    assert count_equal([1, 2], [1, 2, 4]) == count_equal([1, 2, 4], [1, 2]) == 2
    assert count_equal([], [1]) == 0
