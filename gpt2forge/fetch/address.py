"""Addresses of checkpoints that a build fetches: `hf://owner/name@revision` and `openai://124M`."""

import re
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.errors import UserError, quote

OPENAI_SIZES = {"124M": "0.5 GB", "355M": "1.4 GB", "774M": "3.1 GB", "1558M": "6.2 GB"}
"""The models that OpenAI published, and about how large their files are."""

WORD = r"[A-Za-z0-9][\w.-]{0,95}"
HUB = re.compile(rf"hf://({WORD}/{WORD})(?:@([\w.][\w./-]{{0,199}}))?", re.ASCII)
REPO = re.compile(rf"{WORD}/{WORD}", re.ASCII)
PAGE = re.compile(rf"(?:https?://?)?(?:huggingface\.co|hf\.co)/({WORD}/{WORD})(?:/tree/([\w./-]+))?/?", re.ASCII)
ALMOST = re.compile(rf"(?:hf:/?|huggingface:/{{0,2}})({WORD}/{WORD})", re.ASCII)
FOLDERS = ("checkpoint", "checkpoints", "models", "runs", "outputs", "data", "downloads", "recipes", "build", "cache")
"""Owners of no model: a path that begins so was meant as one."""

COMMIT = re.compile(r"[0-9a-f]{40}")
OLD_NAMES = {
    "distilgpt2": "distilbert/distilgpt2",
    **{name: f"openai-community/{name}" for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")},
}
"""The names that the first GPT-2 repositories had, before each had an owner."""


@dataclass(frozen=True)
class HubAddress:
    """A repository of the Hugging Face Hub; `revision` is a branch, a tag or a commit, None for the branch `main`."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision else "")

    @property
    def is_fixed(self) -> bool:
        """Return whether the address names a commit, whose content never changes."""
        return self.revision is not None and COMMIT.fullmatch(self.revision) is not None


@dataclass(frozen=True)
class OpenaiAddress:
    """A model that OpenAI published; `model` is a key of OPENAI_SIZES."""

    model: str
    is_fixed: bool = True

    def __str__(self) -> str:
        return f"openai://{self.model}"


Address = HubAddress | OpenaiAddress


def parse_address(text: str) -> Address | None:
    """Return the address that a recipe's `source.checkpoint` holds; None for a path.

    Raises UserError for an address that is not valid.
    """
    if text.startswith("openai://"):
        return parse_openai(text)
    if not text.startswith("hf://"):
        return None
    found = HUB.fullmatch(text)
    if found is None or ".." in text or text.endswith(("/", ".lock")):
        name = OLD_NAMES.get(text.removeprefix("hf://"))
        example = f"did you mean `hf://{name}`?" if name else "write `hf://owner/name` or `hf://owner/name@revision`"
        raise UserError(f"`{text}` is not an address of the Hugging Face Hub; {example}")
    return HubAddress(found[1], found[2])


def parse_openai(text: str) -> OpenaiAddress:
    """Return the address of a model that OpenAI published. Raises UserError for any other."""
    model = text.removeprefix("openai://")
    if model not in OPENAI_SIZES:
        raise UserError(f"`{text}`: OpenAI published {quote([f'openai://{name}' for name in OPENAI_SIZES])}")
    return OpenaiAddress(model)


def suggest_address(text: str) -> str:
    """Return the end of a message about a path that does not exist: the address that may be meant; empty if none is."""
    address = find_address(text)
    return "" if address is None else f"; to fetch it, write `{address}`"


def find_address(text: str) -> str | None:
    """Return the address that may be meant by a path that does not exist; None if none is."""
    if Path(text).exists():
        return None
    page = PAGE.fullmatch(text)
    if page:
        return f"hf://{page[1]}" + (f"@{page[2]}" if page[2] else "")
    if text in OPENAI_SIZES:
        return f"openai://{text}"
    almost = ALMOST.fullmatch(text)
    repo = almost[1] if almost else OLD_NAMES.get(text, text)
    owner = Path(repo).parent
    is_repo = REPO.fullmatch(repo) and owner.name not in FOLDERS and not owner.exists()
    return f"hf://{repo}" if is_repo else None
