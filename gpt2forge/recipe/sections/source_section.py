"""`source:`, the checkpoint to start from."""

import re
from typing import Annotated, Literal

from pydantic import Field

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.recipe.sections.section import Section

NAMED = re.compile(r".+\.(gguf|index|meta|data-\d{5}-of-\d{5})|model\.ckpt(-\d+)?|model-\d+", re.ASCII)
"""The names of files that choose one of several, and of the prefixes that TensorFlow 1 gives to saves."""


class SourceSection(Section):
    """The checkpoint to start from. Its content is part of the keys, its path is not."""

    checkpoint: str = Field(
        description="the folder of the checkpoint; the path starts at the project; or an address that "
        "`build` fetches: `hf://owner/name@revision` or `openai://124M`"
    )
    step: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the training step of a run that saved several; the newest unless given"
    )
    adapter: str | None = Field(
        default=None, description="a folder of LoRA weights that peft saved, which are merged into the checkpoint's"
    )

    tokenizer: str | None = Field(
        default=None,
        description="a folder with another tokenizer, or a tokenizer.json; `none`: texts are ids with spaces between",
    )

    special_tokens: Literal["token", "text"] | None = Field(
        default=None,
        description="how texts are read that hold `<|endoftext|>` and the like: as one token, or as ordinary text, as "
        "the trainers of gpt-2-simple did; of such a run the way is measured unless given",
    )

    @property
    def own_tokenizer(self) -> bool:
        """Return whether the tokenizer is the checkpoint's own."""
        return self.tokenizer is None

    @property
    def file(self) -> str | None:
        """The name of the file, or of the TensorFlow save, that the path names; it chooses one of several."""
        name = self.checkpoint.rpartition("/")[2]
        return name if NAMED.fullmatch(name) else None

    @property
    def wanted(self) -> Wanted:
        """The choice within the checkpoint."""
        return Wanted(
            self.step, self.own_tokenizer, self.special_tokens, adapter=self.adapter is not None, file=self.file
        )
