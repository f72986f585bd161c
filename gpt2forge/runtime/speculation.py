"""Continues a text by guessing its next tokens and checking them all in one pass over the model.

1. A pass reads the last token and the guessed ones, and returns the logits after each. From each of them a token is
   chosen as without guesses, and as long as it is the guessed one, the next logits are those that belong to the text.
2. So a drawn token has the distribution that it has without guesses: a certain guess is right with its probability, and
   otherwise the draw is from the others. Fast Inference from Transformers via Speculative Decoding,
   https://arxiv.org/abs/2211.17192, section 2.3.
3. The likeliest token must be that of one-token steps, but logits of passes differ by rounding: see `rounding`. Where
   its lead is so small that rounding may decide, everything that passes have read is read again, in steps.
"""

from collections.abc import Iterator

import numpy as np

from gpt2forge.runtime.choice import Chooser
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.generate import Cancel, end_cancelled, read_windows
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.guess_length import GuessLength
from gpt2forge.runtime.guesser import Guesser
from gpt2forge.runtime.rounding import EXACT
from gpt2forge.runtime.step import Array


def guess_and_check(
    decoder: Decoder,
    text: GrowingText,
    choose: Chooser,
    guesser: Guesser,
    cancel: Cancel | None = None,
    tokens: int | None = None,
) -> Iterator[None]:
    """Add tokens to a text until it has ended; yield after each token.

    `tokens` are guessed at once; None lets their number follow how good the guesses are.
    """
    end_cancelled([text], cancel)
    length = GuessLength(guesser.cost, tokens)
    while text.finish is None:
        for _ in Speculation(decoder, text, choose, guesser, length).fill_context():
            yield
            end_cancelled([text], cancel)
        if text.seen >= decoder.context:
            text.slide(decoder.context // 2)


class Speculation:
    """A text and what a step has read of it: all tokens in the model's sight but the last one.

    `sure` is how many of these were read as they are without guesses; `right` guesses and `steps` of one token came
    after them.
    """

    def __init__(
        self, decoder: Decoder, text: GrowingText, choose: Chooser, guesser: Guesser, length: GuessLength
    ) -> None:
        self.decoder, self.text, self.choose, self.guesser, self.length = decoder, text, choose, guesser, length
        self.step, self.logits = read_windows(decoder, [text])  # (1, V)
        self.sure = self.step.length
        self.right = self.steps = 0
        rounding = decoder.rounding if choose.sampling.temperature == 0 else EXACT
        self.bound, self.patience = rounding.bound, rounding.patience

    def fill_context(self) -> Iterator[None]:
        """Add tokens until the text has ended or the context is full; yield after each."""
        text, step, guessed = self.text, self.step, list[int]()
        while True:
            place, end = 0, len(guessed)
            for place in range(end + 1):
                logits = self.logits[place : place + 1]
                if self.bound and not self.is_sure and self.is_close(logits):
                    step.forget(end - place)
                    logits, end = self.read_again(), place
                (token,) = self.choose(logits, [text])
                text.add(token)
                self.length.count_token()
                yield
                if text.finish:
                    return
                if place == end or token != guessed[place]:
                    break
            if guessed:
                step.forget(end - place)
                self.right += place
                self.length.count_guess(len(guessed), place)
            if text.seen >= self.decoder.context:
                return
            self.decoder.check_process()
            guessed = self.guess()
            self.read(guessed)

    def guess(self) -> list[int]:
        """Return the tokens to check in the next pass."""
        if not (allowed := self.length.allowed):
            return []
        most = min(allowed, self.text.room - 1, self.decoder.context - self.text.seen - 1)
        if self.decoder.many is not None:  # with the last token, fewer than take the products for many
            most = min(most, self.decoder.many - 2)
        guessed = self.guesser.guess(self.text.tokens, most) if most > 0 else []
        if not guessed:
            self.length.count_miss()
        return guessed

    def read(self, guessed: list[int]) -> None:
        """Read the last token and the guessed ones; keep the logits (1 + G, V) after each."""
        if guessed:
            self.logits = self.step.read_each(np.array([[self.text.last, *guessed]]))[0]
            self.text.passes += 1
            return
        if not self.is_sure and self.patience is not None and self.steps >= min(self.right, self.patience):
            self.read_again()
        is_sure = self.is_sure
        self.logits = self.step.add([self.text.last])
        self.text.passes += 1
        self.sure += is_sure
        self.steps += not is_sure

    @property
    def is_sure(self) -> bool:
        """Return whether all that the step remembers was read without guesses."""
        return self.sure == self.step.length

    def is_close(self, logits: Array) -> bool:
        """Return whether rounding may have decided which of the logits (1, V) is the largest."""
        return self.choose.measure_lead(logits, self.text) <= self.bound * float(np.ptp(logits))

    def read_again(self) -> Array:
        """Read what passes have read in steps of one token; return the logits (1, V) after the last."""
        tokens = self.text.window[self.sure : self.step.length]
        self.step.forget(len(tokens))
        for token in tokens.tolist():
            logits = self.step.add([token])
        self.text.passes += len(tokens)
        self.length.count_repeated(len(tokens))
        self.sure, self.right, self.steps = self.step.length, 0, 0
        return logits
