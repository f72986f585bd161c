"""Keys that sign entries (Ed25519, RFC 8032), as text. cryptography is imported only here, when a key is used.

A secret key is `ed25519-secret:` and a public one `ed25519:`, each with 32 bytes in Base64 (RFC 4648).
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_whole

VARIABLE = "GPT2FORGE_KEY"
SECRET, PUBLIC = "ed25519-secret:", "ed25519:"
LETTERS = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)
LARGEST = 1 << 16  # bytes of a key's file
MISSING = "cryptography is not installed, and signatures need it: pip install 'gpt2forge[remote]'"

Verify = Callable[[bytes, bytes], bool]
"""Returns whether a signature, the first argument, is that of a message."""


@dataclass(frozen=True)
class Signer:
    """A secret key: `public` is the text of its public key, `sign` returns the signature of a message."""

    public: str
    sign: Callable[[bytes], bytes]


def make_secret() -> str:
    """Make a secret key and return its text. Raises UserError if cryptography is not installed."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ModuleNotFoundError as error:
        raise UserError(MISSING) from error
    return SECRET + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def load_signer(secret: str) -> Signer:
    """Return the signer of a secret key's text. Raises UserError if it is none, or cryptography is not installed."""
    raw = decode(secret, SECRET)
    if raw is None:
        raise UserError(f"`{VARIABLE}`: holds no secret key; `gpt2forge key new FILE` makes one")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ModuleNotFoundError as error:
        raise UserError(MISSING) from error
    key = Ed25519PrivateKey.from_private_bytes(raw)
    return Signer(PUBLIC + base64.b64encode(key.public_key().public_bytes_raw()).decode(), key.sign)


def read_signer(environment: Mapping[str, str]) -> Signer | None:
    """Return the signer that the variable GPT2FORGE_KEY names: a secret key, or the path of its file; None if unset.

    Raises UserError if it holds no key.
    """
    text = environment.get(VARIABLE, "").strip()
    if text and not text.startswith(SECRET):
        try:
            text = read_whole(Path(text), LARGEST).decode(errors="replace").strip()
        except OSError as error:  # the text may be most of a secret key, so it is not shown
            what = f"is neither a secret key nor the path of a file that can be read ({error.strerror})"
            raise UserError(f"`{VARIABLE}`: {what}") from error
    return load_signer(text) if text else None


def load_trusted(keys: Iterable[str]) -> dict[str, Verify]:
    """Return how to verify the signatures of public keys. Raises UserError if cryptography is not installed."""
    return {key: load_public(raw) for key in keys if (raw := decode(key, PUBLIC)) is not None}


def load_public(raw: bytes) -> Verify:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ModuleNotFoundError as error:
        raise UserError(MISSING) from error
    key = Ed25519PublicKey.from_public_bytes(raw)

    def verify(signature: bytes, message: bytes) -> bool:
        with suppress(InvalidSignature):
            key.verify(signature, message)
            return True
        return False

    return verify


def is_public(text: str) -> bool:
    """Return whether a text is that of a public key."""
    return decode(text, PUBLIC) is not None


def decode(text: str, prefix: str) -> bytes | None:
    """Return the 32 bytes of a key's text; None if it is none."""
    letters = text.removeprefix(prefix)
    if not text.startswith(prefix) or not LETTERS.fullmatch(letters):
        return None
    with suppress(binascii.Error):
        return base64.b64decode(letters, validate=True)
    return None
