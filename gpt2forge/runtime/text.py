"""Converts text to tokens and back, and cuts the tokens of a text into windows.

1. The length of a window and the stride are the model's context, so no token is read twice.
2. The first token of a window is not predicted. Each other token is predicted from all tokens before it in its window.
3. The last window may be shorter. A last window of one token predicts nothing and is left out.
"""

import codecs
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel, DecodeStream

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError, check_argument

TOKENIZER_FILE = "tokenizer.json"
FIRST_TRY = 8  # characters to encode for each token that is wanted
MARGIN = 256  # tokens


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a package. Raises UserError if it has none."""
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        raise UserError(
            f"{path}: is missing; copy the directory again, or give the checkpoint its tokenizer files and build again"
        )
    return Tokenizer.from_file(str(path))


def encode_text(tokenizer: Tokenizer, text: str, add_special_tokens: bool = True) -> list[int]:
    """Return the ids of a text, with those that the tokenizer puts around it unless `add_special_tokens` is false.

    Raises UserError if it holds half of a surrogate pair, which is not a character.
    """
    check_text(text)
    try:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
    except Exception as error:  # the library raises Exception itself
        reason = " ".join(str(error).split())
        raise UserError(f"the text cannot be turned into tokens: {reason}; this model may take ids alone") from error
    return ids


def check_text(text: str) -> None:
    """Raise TypeError unless this is text, and UserError if it holds half of a surrogate pair."""
    check_argument("text", text, str)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        raise UserError(
            f"the text: character {error.start} is {code}, half of a surrogate pair; take it out"
        ) from error


def check_rows(tokenizer: Tokenizer, tokens: Iterable[int], rows: int) -> None:
    """Raise UserError if a text holds a token beyond the rows of the model, which was added without resizing it."""
    beyond = next((token for token in tokens if token >= rows), None)
    if beyond is not None:
        shown = quote_untrusted(tokenizer.id_to_token(int(beyond)))
        raise UserError(
            f"the text holds {shown} (token {beyond}), but the model has rows for {rows} tokens only: it was "
            "fine-tuned without this token and can neither read nor write it; leave it out of the text"
        )


def encode_beginning(tokenizer: Tokenizer, text: str, most: int) -> list[int]:
    """Return the first `most` tokens of a text.

    Only the beginning is encoded, because a large text would take minutes and gigabytes. The cut may change the tokens
    near it, so a margin of tokens is encoded too.
    """
    characters = FIRST_TRY * most
    while True:
        tokens: list[int] = tokenizer.encode(text[:characters], add_special_tokens=False).ids
        if len(tokens) >= most + MARGIN or characters >= len(text):
            return tokens[:most]
        characters *= 2


def has_more_tokens(tokenizer: Tokenizer, text: str, most: int) -> bool:
    """Return whether a large text has more than `most` tokens; a small one is not encoded here, and has not."""
    return len(text) > FIRST_TRY * most and len(encode_beginning(tokenizer, text, most + 1)) > most


class TextStream(Protocol):
    """Decodes tokens one by one; the bytes of an incomplete character wait for the next token."""

    def push(self, token: int) -> str:
        """Return the text that this token completes."""
        ...

    def finish(self) -> str:
        """Return replacement characters for the bytes that still wait."""
        ...


def open_stream(tokenizer: Tokenizer) -> TextStream:
    """Return a stream for the tokenizer's kind of tokens."""
    return ByteStream(tokenizer) if isinstance(tokenizer.decoder, ByteLevel) else WordStream(tokenizer)


class ByteStream:
    """A stream of byte-level tokens, each of which is some bytes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.added = {token: added.content for token, added in tokenizer.get_added_tokens_decoder().items()}
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.known: dict[int, bytes] = {}

    def push(self, token: int) -> str:
        """Return the text that this token completes."""
        found = self.known.get(token)
        if found is None:
            found = self.known[token] = self.find_bytes(token)
        return self.decoder.decode(found)

    def finish(self) -> str:
        """Return replacement characters for the bytes that still wait."""
        return self.decoder.decode(b"", final=True)

    def find_bytes(self, token: int) -> bytes:
        if token in self.added:
            return self.added[token].encode()
        return spell_bytes(self.tokenizer.id_to_token(token) or "")


@lru_cache(maxsize=1 << 16)
def spell_bytes(token: str) -> bytes:
    """Return the bytes that a byte-level token stands for.

    One with a character that stands for no byte is plain text, as for the library's decoder.
    """
    known = all(character in BYTES for character in token)
    return bytes(BYTES[character] for character in token) if known else token.encode()


class WordStream:
    """A stream of tokens whose text depends on their neighbours, such as the spaces between words."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.stream = DecodeStream(skip_special_tokens=False)
        self.tokens: list[int] = []
        self.sent = 0

    def push(self, token: int) -> str:
        self.tokens.append(token)
        piece = self.stream.step(self.tokenizer, token) or ""
        self.sent += len(piece)
        return piece

    def finish(self) -> str:
        whole: str = self.tokenizer.decode(self.tokens, skip_special_tokens=False)
        return whole[self.sent :]


def list_bytes() -> dict[str, int]:
    """Return the byte for each character of GPT-2's vocabulary; unprintable bytes have characters from U+0100 on.

    https://github.com/openai/gpt-2/blob/master/src/encoder.py, bytes_to_unicode.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTES = list_bytes()


def cut_windows(tokens: Sequence[int], context: int, most: int | None = None) -> list[list[int]]:
    """Return the windows of the first `most` tokens (default: all); each holds 2 to `context` tokens."""
    used = tokens[:most]
    windows = [list(used[start : start + context]) for start in range(0, len(used), context)]
    return [window for window in windows if len(window) > 1]
