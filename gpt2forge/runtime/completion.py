"""What `generate` returns for one prompt."""

from dataclasses import dataclass

from gpt2forge.runtime.growing_text import Finish, GrowingText


@dataclass(frozen=True)
class Completion:
    """The text that a model added to a prompt.

    tokens: the new tokens, without one that ended the text, but with those of a stop string.
    finish: why the text ended: `end` (a token that ends texts), `stop` (a stop string), `length` (the most tokens) or
    `cancelled`.
    seed: repeats the text with the same settings; None if nothing was drawn.
    log_probabilities: of each token, in nats, by the model's own logits; empty unless they were asked for.
    passes: how often the model ran for this text, alone or with others; 0 for a search with beams.
    """

    prompt: str
    text: str
    tokens: tuple[int, ...]
    finish: Finish
    seed: int | None = None
    log_probabilities: tuple[float, ...] = ()
    passes: int = 0

    def __str__(self) -> str:
        return self.text

    @property
    def count(self) -> int:
        """Return the number of new tokens."""
        return len(self.tokens)


def make_completion(prompt: str, grown: GrowingText) -> Completion:
    """Return what a text that has ended added to its prompt."""
    assert grown.finish is not None
    tokens = tuple(grown.added.tolist())
    found = tuple(grown.log_probabilities[: len(tokens)])
    return Completion(prompt, "".join(grown.pieces), tokens, grown.finish, grown.seed, found, grown.passes)
