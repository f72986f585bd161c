"""With guesses, whichever they are, a text is the one without guesses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gpt2forge.graph.passes import PASSES
from gpt2forge.quantize.few_rows import MANY
from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.generate import continue_texts
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.guesser import Guesser
from gpt2forge.runtime.in_place_step import InPlaceStep
from gpt2forge.runtime.prompt_lookup import PromptLookup
from gpt2forge.runtime.rounding import FLOATS, INTEGERS
from gpt2forge.runtime.sampling import GREEDY, Sampling
from gpt2forge.runtime.speculation import guess_and_check
from tests.graph.models import Shape, Tiny, make_tiny
from tests.quantize.packages import FLOAT32, SCHEMES, pack
from tests.runtime.test_generate import Bell
from tests.runtime.texts import begin

Array = np.ndarray[Any, Any]
FEW_ROWS, WIDE = "int8-channel-few", Shape(heads=2, head_width=16)  # whose widths blocks of 16 divide
PROMPT = [5, 17, 80, 3]
DRAWN = Sampling(temperature=1.2, top_p=0.9)


class Foreknowledge:
    """Guesses what a text will be, but each token wrongly with the chance `wrong`."""

    cost = 0.0

    def __init__(self, tokens: Sequence[int], wrong: float = 0.0, seed: int = 0) -> None:
        self.tokens = np.array(tokens)
        self.wrong = wrong
        self.random = np.random.default_rng(seed)

    def guess(self, text: Array, most: int) -> list[int]:
        coming = self.tokens[len(text) : len(text) + most]
        is_wrong = self.random.random(len(coming)) < self.wrong
        found: list[int] = np.where(is_wrong, (coming + 1) % 101, coming).tolist()
        return found


@pytest.fixture(scope="module")
def decoders(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decoder]:
    """Return a decoder of each kind of cache in float32, and in place of each kind of arithmetic."""
    found, wide = {}, make_tiny(tmp_path_factory.mktemp("wide"), WIDE)
    kinds = {"growing": (FLOAT32, ()), "float32": (FLOAT32, tuple(PASSES))}
    schemes = ("int8-16", "int8-channel", FEW_ROWS, "int4-32", "mixed")
    for name, (scheme, passes) in (kinds | {each: (SCHEMES[each], tuple(PASSES)) for each in schemes}).items():
        folder = tmp_path_factory.mktemp("package") / "out"
        pack(wide if name == FEW_ROWS else tiny, folder, scheme, passes)
        found[name] = open_decoder(folder, threads=1)
    return found


def write(decoder: Decoder, text: GrowingText, choose: Chooser, guesser: Guesser | None = None) -> GrowingText:
    steps = (
        continue_texts(decoder, [text], choose) if guesser is None else guess_and_check(decoder, text, choose, guesser)
    )
    for _ in steps:
        pass
    return text


def compare(decoder: Decoder, limit: int, choose: Chooser, wrong: float = 0.3, **options: Any) -> GrowingText:
    """Write a text with guesses, which must be the one without; return it."""
    plain = write(decoder, begin(PROMPT, limit, **options), choose)
    guesser = Foreknowledge([*PROMPT, *plain.added.tolist(), *range(20)], wrong)
    guessed = write(decoder, begin(PROMPT, limit, **options), choose, guesser)
    assert guessed.added.tolist() == plain.added.tolist()
    assert guessed.finish == plain.finish
    assert "".join(guessed.pieces) == "".join(plain.pieces)
    assert plain.passes >= len(plain.added)
    np.testing.assert_allclose(guessed.log_probabilities, plain.log_probabilities, atol=1e-4)
    return guessed


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("wrong", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["growing", "float32"])
def test_text_is_the_one_without_guesses(
    decoders: dict[str, Decoder], kind: str, wrong: float, sampling: Sampling
) -> None:
    text = compare(decoders[kind], 44, Chooser(Edits(), sampling, is_recorded=True), wrong)
    assert text.passes < 16 if wrong == 0 else text.passes <= 44


@pytest.mark.parametrize("wrong", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["int8-16", "int8-channel", FEW_ROWS, "int4-32", "mixed"])
def test_likeliest_tokens_are_those_of_steps_whatever_is_rounded(
    decoders: dict[str, Decoder], kind: str, wrong: float
) -> None:
    assert decoders[kind].rounding == INTEGERS
    assert decoders["growing"].rounding == decoders["float32"].rounding == FLOATS
    compare(decoders[kind], 44, Chooser(Edits(), GREEDY), wrong)


def test_no_pass_takes_the_products_for_many_tokens(
    decoders: dict[str, Decoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, sizes = InPlaceStep.read_each, []

    def read_each(step: InPlaceStep, tokens: Array) -> Array:
        sizes.append(tokens.size)
        return read(step, tokens)

    monkeypatch.setattr(InPlaceStep, "read_each", read_each)
    text = begin(PROMPT, 44)
    guesser = Foreknowledge(range(100), wrong=1.0)
    for _ in guess_and_check(decoders[FEW_ROWS], text, Chooser(Edits(), DRAWN), guesser, tokens=20):
        pass
    assert max(sizes) == MANY - 1


EDITS = {
    "repetition penalty": Edits(repetition=1.3),
    "counts": Edits(presence=0.5, frequency=0.2),
    "no repeated n-gram": Edits(ngram=2),
    "banned words": Edits(banned=[(1,), (80, 3)]),
    "bias": Edits(bias={7: 2.0, 9: float("-inf")}),
    "minimum length": Edits(ends=range(50), least=9),
    "endless": Edits(ends=range(50), is_endless=True),
}


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("edits", EDITS)
def test_edits_see_the_tokens_before_each_guess(decoders: dict[str, Decoder], edits: str, sampling: Sampling) -> None:
    ends = EDITS[edits].ends
    text = compare(decoders["float32"], 30, Chooser(EDITS[edits], sampling, is_recorded=True), ends=list(ends))
    assert text.passes < 30


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_stop_strings_and_ends_within_a_guess_end_the_text(decoders: dict[str, Decoder], sampling: Sampling) -> None:
    choose = Chooser(Edits(), sampling)
    tokens = write(decoders["float32"], begin(PROMPT, 20), choose).added.tolist()
    assert compare(decoders["float32"], 20, choose, 0.0, stops=[f"{tokens[9]} {tokens[10]} "]).finish == "stop"
    assert compare(decoders["float32"], 20, choose, 0.0, ends=[tokens[9]]).finish == "end"


@pytest.mark.parametrize("kind", ["growing", "float32"])
def test_text_goes_past_the_context_as_without_guesses(decoders: dict[str, Decoder], kind: str) -> None:
    assert compare(decoders[kind], 150, Chooser(Edits(), GREEDY)).passes < 120


@pytest.mark.parametrize("count", [0, 1, 5])
def test_cancelled_text_keeps_what_it_has(decoders: dict[str, Decoder], count: int) -> None:
    choose = Chooser(Edits(), GREEDY)
    plain = write(decoders["float32"], begin(PROMPT, 20), choose).added.tolist()
    text = begin(PROMPT, 20)
    for _ in guess_and_check(decoders["float32"], text, choose, Foreknowledge([*PROMPT, *plain]), Bell(count)):
        pass
    assert (text.finish, text.added.tolist()) == ("cancelled", plain[:count])


def test_tokens_that_are_drawn_have_the_distribution_of_the_model(decoders: dict[str, Decoder]) -> None:
    """The first token after the prompt is guessed to be the likeliest one, which it is not mostly."""
    decoder, choose = decoders["float32"], Chooser(Edits(), Sampling())
    logits = decoder.read(np.array([[*PROMPT, 9]]))[0, -1].astype(np.float64)
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    drawn, count = np.zeros(len(shares)), 600
    for seed in range(count):
        text = begin([*PROMPT, 9], 3, seed=seed)
        write(decoder, text, choose, Foreknowledge([*PROMPT, 9, int(shares.argmax()), 0, 0]))
        drawn[text.added[0]] += 1
    expected = count * shares
    deviation = ((drawn - expected) ** 2 / expected).sum()
    freedom = len(shares) - 1
    assert abs(deviation - freedom) < 5 * (2 * freedom) ** 0.5


def test_text_in_a_loop_takes_fewer_passes(decoders: dict[str, Decoder]) -> None:
    choose = Chooser(Edits(bias={7: 100.0}), GREEDY)
    text = write(decoders["float32"], begin(PROMPT, 40), choose, PromptLookup())
    assert text.added.tolist() == [7] * 40
    assert text.passes < 12
