"""Measures what text costs besides the session's own time, and what guesses give.

`python -m bench.generation PACKAGE...` prints a line of JSON for each built directory. All numbers are ratios:

loop                what happens between runs of the session, as a share of their time: medians of all tokens
faster              time of a text without guesses divided by that with guesses: the median of all texts
tokens_a_pass       new tokens divided by passes over the model
identical           of how many likeliest tokens with guesses equal those without

`repeating` prompts hold the same lines twice, `plain` ones are held-out text, `fresh` texts never repeat two tokens.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import onnxruntime as ort

from gpt2forge.runtime.generation import Options
from gpt2forge.runtime.model import Model
from gpt2forge.runtime.open_model import open_model

TEXT = Path(__file__).resolve().parents[1] / "examples/nano/heldout.txt"
PIECE = 240  # characters of a prompt
NEW = 128  # tokens of a text, if the context has room
GREEDY: Options = {"temperature": 0.0, "ignore_end": True}
DRAWN: Options = {"ignore_end": True, "seed": 1}
FRESH: Options = {**DRAWN, "no_repeat_ngram": 2}


@dataclass
class TimedSession:
    """A session that remembers when its runs began and ended, in seconds."""

    session: ort.InferenceSession
    runs: list[tuple[float, float]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run_with_iobinding(self, binding: ort.IOBinding) -> None:
        began = time.perf_counter()
        self.session.run_with_iobinding(binding)
        self.runs.append((began, time.perf_counter()))


@dataclass
class Pairs:
    """Texts with and without guesses from the same prompts."""

    ratios: list[float] = field(default_factory=list)
    tokens: int = 0
    passes: int = 0
    identical: int = 0

    def add(self, model: Model, prompt: str, new: int, options: Options, draft: Model | None) -> None:
        """Write one text in both ways; a draft guesses, or the text itself."""
        guessing: Options = {**options, "speculative": draft or "prompt-lookup"}
        began = time.perf_counter()
        plain = model.generate(prompt, new, **options)
        between = time.perf_counter()
        guessed = model.generate(prompt, new, **guessing)
        self.ratios.append((between - began) / (time.perf_counter() - between))
        self.tokens += plain.count
        self.passes += guessed.passes
        self.identical += count_equal(plain.tokens, guessed.tokens)

    def to_json(self) -> dict[str, float]:
        return {
            "faster": round(statistics.median(self.ratios), 2),
            "tokens_a_pass": round(self.tokens / self.passes, 2),
            "tokens": self.tokens,
            "identical": self.identical,
        }


def count_equal(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens are equal before the first that differs."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def cut_prompts(count: int) -> Iterator[str]:
    """Yield pieces of the held-out text, from line starts on."""
    text = TEXT.read_text(encoding="utf-8")
    for number in range(count):
        start = text.index("\n", number * (len(text) - 2 * PIECE) // count) + 1
        yield text[start : start + PIECE]


def choose_new(model: Model, prompt: str) -> int:
    """Return how many tokens to write behind a prompt."""
    return min(NEW, model.context - len(model.encode(prompt)))


def measure_loop(model: Model, prompts: Sequence[str], options: Options, new: int = NEW) -> float:
    """Return what happens between two runs as a share of a run's time; prompts do not count."""
    timed = TimedSession(model.decoder.session)
    watched = replace(model, decoder=replace(model.decoder, session=timed))
    between, within = list[float](), list[float]()
    for prompt in prompts:
        timed.runs.clear()
        watched.generate(prompt, min(new, choose_new(model, prompt)), **options)
        between += [began - ended for (_, ended), (began, _) in pairwise(timed.runs)]
        within += [ended - began for began, ended in timed.runs[1:]]
    return round(statistics.median(between) / statistics.median(within), 3)


def measure_guesses(
    model: Model, prompts: Sequence[str], options: Options, draft: Model | None = None
) -> dict[str, float]:
    """Return what guesses give for these prompts."""
    pairs = Pairs()
    for prompt in prompts:
        pairs.add(model, prompt, choose_new(model, prompt), options, draft)
    return pairs.to_json()


def open_plain(folder: Path, threads: int) -> Model:
    """Open a package without the settings and the guesses that it names."""
    return replace(open_model(folder, threads), usual={}, guesses=None)


def measure_package(folder: Path, texts: int, threads: int, drafted: Path | None = None) -> dict[str, Any]:
    """Measure one package; the package `drafted` guesses, or the text itself."""
    model, prompts = open_plain(folder, threads), list(cut_prompts(texts))
    draft = open_plain(drafted, threads) if drafted else None
    repeating = [prompt[: PIECE // 2] * 2 for prompt in prompts]
    return {
        "package": folder.name,
        "loop": {
            "likeliest": measure_loop(model, prompts, {"temperature": 0.0}),
            "drawn": measure_loop(model, prompts, {"seed": 1}),
        },
        "likeliest": {
            "repeating": measure_guesses(model, repeating, GREEDY, draft),
            "plain": measure_guesses(model, prompts, GREEDY, draft),
        },
        "drawn": {
            "repeating": measure_guesses(model, repeating, DRAWN, draft),
            "plain": measure_guesses(model, prompts, DRAWN, draft),
            "fresh": measure_guesses(model, prompts, FRESH, draft),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.generation", description=__doc__)
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=20, help="texts of each kind (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="threads of the session (default: one per core)")
    parser.add_argument("--draft", type=Path, help="a built directory whose model guesses (default: the text itself)")
    options = parser.parse_args()
    for folder in options.packages:
        print(json.dumps(measure_package(folder, options.texts, options.threads, options.draft)))


if __name__ == "__main__":
    main()
