"""The answers of several results to the same prompts: the likeliest token each time, so that equal models agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes longer to import than --help to run
    from gpt2forge.runtime.model import Model

NEW_TOKENS = 40
PROMPT_TOKENS = 24  # of the text that the results were measured on
PROMPTS = 3


@dataclass(frozen=True)
class Answer:
    """The tokens that a result adds to a prompt, and the piece of text that each adds."""

    tokens: tuple[int, ...]
    pieces: tuple[str, ...]


def answer_prompts(package: Path, prompts: Sequence[str]) -> list[Answer]:
    """Return the answers of a package. Raises UserError if it cannot be opened, or if a prompt does not fit."""
    from gpt2forge.runtime.open_model import open_model

    model = replace(open_model(package), usual={}, guesses=None)  # what the package was told to write does not matter
    return [answer_prompt(model, prompt) for prompt in prompts]


def answer_prompt(model: "Model", prompt: str) -> Answer:
    """Return the NEW_TOKENS likeliest tokens after a prompt, or as many as the context has room for."""
    room = max(1, model.context - len(model.encode(prompt)))
    tokens = tuple(model.generate(prompt, min(NEW_TOKENS, room), temperature=0.0).tokens)
    return Answer(tokens, tuple(spell(model, tokens)))


def spell(model: "Model", tokens: Sequence[int]) -> Iterator[str]:
    """Yield the text that each token adds; bytes that form no whole character come with the token that ends it."""
    from gpt2forge.runtime.text import open_stream

    stream = open_stream(model.tokenizer)
    pieces = [stream.push(token) for token in tokens]
    rest = stream.finish()
    yield from pieces[:-1]
    yield from (piece + rest for piece in pieces[-1:])


def choose_prompts(reference: Path, package: Path) -> list[str]:
    """Return the beginnings of some windows of the text that a package was measured on, from the reference."""
    from gpt2forge.measure.distributions import read_reference
    from gpt2forge.runtime.text import read_tokenizer

    windows, tokenizer = read_reference(reference).windows(), read_tokenizer(package)
    places = sorted({len(windows) * number // PROMPTS for number in range(PROMPTS)})
    texts = [tokenizer.decode(windows[place][:PROMPT_TOKENS].tolist(), skip_special_tokens=False) for place in places]
    return [text.rstrip() for text in texts if text.strip()]


def find_differing(tokens: Sequence[int], baseline: Sequence[int]) -> list[bool]:
    """Tell of each token whether it is new or other than in the baseline's answer."""
    same = [False] * len(tokens)
    for block in SequenceMatcher(None, baseline, tokens, autojunk=False).get_matching_blocks():
        same[block.b : block.b + block.size] = [True] * block.size
    return [not each for each in same]
