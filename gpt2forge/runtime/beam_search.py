"""Searches the likeliest continuation of a prompt with several beams, as transformers does.

A hypothesis is worth the sum of its tokens' log-probabilities, divided by its number of tokens to the power of the
length penalty. The search ends when the best beam, at its present length, is worth no more than the worst of as many
finished hypotheses as there are beams; or at the limit of tokens, where all beams finish.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py, `_beam_search` without
`early_stopping`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.draw import check_choice
from gpt2forge.runtime.filters import find_top
from gpt2forge.runtime.forced_words import Word, has_all, list_forced, take_in_turn
from gpt2forge.runtime.hypothesis import Hypothesis
from gpt2forge.runtime.likelihood import log_softmax

Array = np.ndarray[Any, Any]
Edit = Callable[[Array, Sequence[Sequence[int]]], Array]
"""Takes log-probabilities (B, V) and the new tokens of each beam; returns edited ones."""


def search_beams(
    decoder: Decoder,
    prompt: Sequence[int],
    *,
    beams: int,
    limit: int,
    ends: Collection[int],
    length_penalty: float = 1.0,
    words: Sequence[Word] = (),
    edit: Edit = lambda scores, texts: scores,
) -> Iterator[list[Hypothesis]]:
    """Yield the finished hypotheses after each step, best first; the last ones are the result.

    The token that ends a text is a part of a hypothesis here. `limit` is the most new tokens. Each finished hypothesis
    has all `words`; there may be none.
    """
    step = decoder.start(len(prompt) + limit, batch=beams)
    logits = step.read_prompts([prompt])
    running, finished = [Hypothesis((), 0.0)], list[Hypothesis]()
    while True:
        scores = edit_scores(logits, running, edit)
        candidates = list_candidates(scores, running, count=max(2, 1 + len(ends)) * beams)
        if words:
            candidates = take_in_turn([*candidates, *list_forced(scores, running, words)], words, len(candidates))
        length = len(candidates[0].tokens)
        done = [each for each in candidates[:beams] if each.tokens[-1] in ends or length == limit]
        finished = rank([*finished, *(each for each in done if has_all(each.tokens, words))], length_penalty)[:beams]
        running = [each for each in candidates if each.tokens[-1] not in ends][:beams]
        yield finished
        if length == limit or not running or is_settled(running, finished, beams, length_penalty):
            return
        step.select([each.row for each in running])
        decoder.check_process()
        logits = step(np.array([[each.tokens[-1]] for each in running]))


def edit_scores(logits: Array, running: Sequence[Hypothesis], edit: Edit) -> Array:
    """Return the sums of log-probabilities (B, V) of each beam with each next token."""
    edited = edit(log_softmax(logits), [each.tokens for each in running])
    for row in edited:
        check_choice(float(row.max()))
    return np.asarray(edited + np.array([[each.total] for each in running]))


def list_candidates(scores: Array, running: Sequence[Hypothesis], count: int) -> list[Hypothesis]:
    """Return the `count` best continuations of all beams, best first."""
    flat = scores.ravel()
    best = find_top(flat, count)
    rows, tokens = np.divmod(best, scores.shape[1])
    return [
        Hypothesis((*running[row].tokens, token), float(flat[place]), row)
        for row, token, place in zip(rows.tolist(), tokens.tolist(), best.tolist(), strict=True)
        if flat[place] > -np.inf
    ]


def rank(hypotheses: Sequence[Hypothesis], length_penalty: float) -> list[Hypothesis]:
    """Return hypotheses, the one that is worth most first."""
    return sorted(hypotheses, key=lambda each: -each.value(length_penalty))


def is_settled(
    running: Sequence[Hypothesis], finished: Sequence[Hypothesis], beams: int, length_penalty: float
) -> bool:
    """Return whether the best beam would be worth no more than the worst of all finished hypotheses."""
    best = max(each.value(length_penalty) for each in running)
    return len(finished) == beams and best <= finished[-1].value(length_penalty)
