"""Keeps what a model has read of a prompt, for prompts that begin alike.

1. Keys and values of a token depend on it and on the tokens before. So a prompt that begins like the kept one is read
   from where they part.
2. Kernels compute rows in groups, and one row alone in another way. So a prompt is parted at a multiple of GROUP
   tokens, and at least two are read. Over an int8 cache, fewer than GROUP tokens have another kernel for attention, so
   at least as many are read; and at least `fewest`, where fewer tokens have other products too. Then all numbers are
   bit for bit those of one pass over the prompt.
3. Generated tokens are read one by one, which rounds otherwise. They are not kept, but read with the next prompt.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.prompt_cache_file import write_prompt_cache
from gpt2forge.runtime.step import Array, Step

GROUP = 32  # tokens; as many as take the products for many, so that what is kept was read by these
FEWEST = 2  # tokens that any pass reads behind the kept ones


@dataclass(eq=False)
class PromptCache:
    """The tokens (L,) of the last prompt with the keys and values (1, H, L, D) of each layer in turn.

    It belongs to the package with this digest, and to one thread at a time. At least `fewest` tokens are read behind
    the kept ones. Model.open_prompt_cache makes one.
    """

    package: str
    tokens: list[int] = field(default_factory=list)
    past: list[Array] = field(default_factory=list)
    fewest: int = FEWEST

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cache into a file, for Model.open_prompt_cache. Raises UserError if it holds no prompt yet."""
        if not self.past:
            raise UserError("the prompt cache is empty; generate a text with it first")
        write_prompt_cache(Path(path), self.package, self.tokens, self.past)

    def read(self, step: Step, tokens: Sequence[int]) -> Array:
        """Return the logits (1, V) after a prompt, and keep it; a new step remembers it then."""
        known = self.count_known(tokens)
        if known:
            step.load([each[:, :, :known] for each in self.past])
            logits = step(np.array([tokens[known:]]))
        else:
            logits = step.read_prompts([tokens])
        self.tokens, self.past = list(tokens), step.save()
        return logits

    def count_known(self, tokens: Sequence[int]) -> int:
        """Return how many tokens of a prompt need not be read."""
        is_rounded = bool(self.past) and self.past[0].dtype == np.int8
        most = min(len(self.tokens), len(tokens) - max(self.fewest, GROUP if is_rounded else 0))
        pairs = zip(self.tokens[: max(most, 0)], tokens, strict=False)
        alike = next((place for place, (one, other) in enumerate(pairs) if one != other), max(most, 0))
        return alike // GROUP * GROUP
