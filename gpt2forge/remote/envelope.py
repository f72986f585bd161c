"""Signed envelopes, as DSSE defines them: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md.

{payload: Base64, payloadType, signatures: [{keyid, sig: Base64}]}; `keyid` is the text of the public key.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from gpt2forge.remote.signing import Signer, Verify

TYPE = "application/vnd.gpt2forge.entry+json"
MOST = 16  # signatures that are tried


def seal(payload: bytes, signer: Signer) -> bytes:
    """Return the envelope of a payload."""
    signature = {"keyid": signer.public, "sig": encode(signer.sign(list_signed(payload)))}
    return json.dumps({"payload": encode(payload), "payloadType": TYPE, "signatures": [signature]}).encode()


def unseal(data: bytes, trusted: Mapping[str, Verify]) -> bytes:
    """Return the payload of an envelope. Raises ValueError unless a trusted key has signed it."""
    try:
        envelope = json.loads(data)
        payload, kind = decode(envelope["payload"]), envelope["payloadType"]
        signatures = envelope["signatures"][:MOST]
        is_signed = kind == TYPE and any(is_valid(each, list_signed(payload), trusted) for each in signatures)
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError("is no envelope") from error
    if not is_signed:
        raise ValueError("no trusted key has signed it")
    return payload


def is_valid(signature: Any, message: bytes, trusted: Mapping[str, Verify]) -> bool:
    """Return whether a trusted key made a signature of a message."""
    verify = trusted.get(signature["keyid"])
    return verify is not None and verify(decode(signature["sig"]), message)


def list_signed(payload: bytes) -> bytes:
    """Return the bytes that are signed: the payload, behind its type and the lengths of both ("PAE")."""
    return b"DSSEv1 %d %b %d %b" % (len(TYPE), TYPE.encode(), len(payload), payload)


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
