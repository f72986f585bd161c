"""Continues texts beside each other, one token each at a time, until each has ended.

1. Equal windows are read once, and their texts then share what was read.
2. A text that has ended leaves the batch. The last text takes its row, so one row moves and no other.
3. When a text fills the context, the batch is read again; that text keeps the newer half of its window.
4. One text may begin like the prompt that a cache keeps; then it is read from there on.
5. No text depends on the others, but for the rounding of kernels that differ with the number of rows.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from gpt2forge.runtime.choice import Chooser
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.prompt_cache import PromptCache
from gpt2forge.runtime.step import Array, Step


class Cancel(Protocol):
    """Says whether to stop, from any thread; a threading.Event is one."""

    def is_set(self) -> bool: ...


def continue_texts(
    decoder: Decoder,
    texts: Sequence[GrowingText],
    choose: Chooser,
    cancel: Cancel | None = None,
    cache: PromptCache | None = None,
) -> Iterator[None]:
    """Add tokens to texts until each has ended; yield after each step. With a cache, there is one text."""
    going_on = list(texts)
    end_cancelled(going_on, cancel)
    while going_on := [text for text in going_on if text.finish is None]:
        going_on = yield from fill_context(decoder, going_on, choose, cancel, cache)
        for text in going_on:
            if text.seen >= decoder.context:
                text.slide(decoder.context // 2)


def fill_context(
    decoder: Decoder, texts: list[GrowingText], choose: Chooser, cancel: Cancel | None, cache: PromptCache | None
) -> Generator[None, None, list[GrowingText]]:
    """Continue texts until each has ended, or one fills the context; return those that go on."""
    step, logits = read_windows(decoder, texts, cache)
    context = decoder.context
    while True:
        for text, token in zip(texts, choose(logits, texts), strict=True):
            text.add(token)
        yield
        end_cancelled(texts, cancel)
        if [text for text in texts if text.finish or text.seen >= context]:
            rows = fill_holes([text.finish is None for text in texts])
            texts = [texts[row] for row in rows]
            if not texts or any(text.seen >= context for text in texts):
                return texts
            step.select(rows)
        decoder.check_process()
        logits = step.add([text.last for text in texts])
        for text in texts:
            text.passes += 1


def end_cancelled(texts: Sequence[GrowingText], cancel: Cancel | None) -> None:
    """End all texts if the caller wants it."""
    if cancel is not None and cancel.is_set():
        for text in texts:
            text.end("cancelled")


def read_windows(
    decoder: Decoder, texts: Sequence[GrowingText], cache: PromptCache | None = None
) -> tuple[Step, Array]:
    """Read what the model sees of each text; return a step that goes on from there, and the logits (B, V)."""
    windows = [tuple(text.window.tolist()) for text in texts]
    different = list(dict.fromkeys(windows))
    longest = max(len(window) for window in different)
    most = max(min(text.room, decoder.context - text.seen) for text in texts)
    step = decoder.start(longest + most, batch=len(texts))
    logits = step.read_prompts(different) if cache is None else cache.read(step, different[0])
    for text in texts:
        text.passes += 1
    rows = [different.index(window) for window in windows]
    if len(different) < len(texts):
        step.select(rows)
    return step, logits[rows]


def fill_holes(is_kept: Sequence[bool]) -> list[int]:
    """Return the rows to keep, in an order that fills each hole among the first with a row from the end."""
    count = sum(is_kept)
    later = [row for row in range(count, len(is_kept)) if is_kept[row]]
    return [row if is_kept[row] else later.pop() for row in range(count)]
