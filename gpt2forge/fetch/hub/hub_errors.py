"""Explains what the Hugging Face Hub, or the way to it, does not do: one line with the problem and the fix.

No message holds a token, a header, or an address that a server sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import HubAddress
from gpt2forge.fetch.answer import PASSING, parse_wait
from gpt2forge.fetch.download import AGAIN
from gpt2forge.fetch.retry import Unreachable

LOGIN = "set HF_TOKEN to a token of an account that may read it, or run `hf auth login`"


def show_endpoint() -> str:
    """Return the address of the Hub without the user name and password that it may hold."""
    parts = urlsplit(constants.ENDPOINT)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


@contextmanager
def explained(address: HubAddress) -> Iterator[None]:
    """Turn every error of the Hub into a UserError: Unreachable if it may pass."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        fix = "fetch it once while online, or unset it"
        raise Unreachable(f"`{address}`: HF_HUB_OFFLINE is set", fix, is_final=True) from error
    except HfHubHTTPError as error:
        raise explain_answer(error, address) from error
    except HFValidationError as error:
        raise UserError(f"`{address}` is no name of a repository; write `hf://owner/name`") from error
    except httpx2.UnsupportedProtocol as error:
        raise UserError(f"HF_ENDPOINT: {show_endpoint()} is not an address; write `https://host`") from error
    except httpx2.InvalidURL as error:
        raise UserError("HF_ENDPOINT: is not an address; write `https://host`") from error
    except httpx2.HTTPError as error:
        raise explain_transport(error, address) from error


def explain_transport(error: httpx2.HTTPError, address: HubAddress) -> Unreachable:
    """Return the error for a connection that failed."""
    problem = "the connection was cut"
    if isinstance(error, httpx2.ProxyError):
        problem = "the proxy refuses the connection"
    elif isinstance(error, httpx2.TimeoutException):
        problem = f"{show_endpoint()} does not answer"
    elif isinstance(error, httpx2.ConnectError):
        problem = f"{show_endpoint()} cannot be reached ({' '.join(str(error).split())})"
    return Unreachable(f"`{address}`: {problem}", f"check the network, the proxy or HF_ENDPOINT; {AGAIN}")


def explain_answer(error: HfHubHTTPError, address: HubAddress) -> UserError:
    """Return the error for an answer that refuses."""
    page, status = f"{show_endpoint()}/{address.repo}", error.response.status_code
    if isinstance(error, GatedRepoError):
        fix = f"ask for access on {page}, then {LOGIN}"
        return UserError(f"`{address}`: its owner gives access to those who accept the terms; {fix}")
    if isinstance(error, RevisionNotFoundError):
        missing = f"has no branch, tag or commit `{address.revision or 'main'}`"
        return UserError(f"`{address}`: {address.repo} {missing}; {page}/tree/main lists them")
    if isinstance(error, RemoteEntryNotFoundError):
        return UserError(f"`{address}`: a file that the Hub lists is not there; look at {page}, and build again")
    if isinstance(error, DisabledRepoError):
        return UserError(f"`{address}`: the Hub has disabled this repository; see {page}")
    if isinstance(error, RepositoryNotFoundError):
        return UserError(f"`{address}`: there is no such repository; check the name; if it is private, {LOGIN}")
    return explain_status(status, address, wait=parse_wait(error.response.headers))


def explain_status(status: int, address: HubAddress, wait: float) -> UserError:
    """Return the error for a status of HTTP that the Hub gives no reason for."""
    if status in PASSING:
        why = "too many requests; HF_TOKEN raises the limit" if status == 429 else "it has a problem"
        return Unreachable(f"`{address}`: the Hub answers {status}, {why}", f"try again later; {AGAIN}", wait=wait)
    if status == 401:
        return UserError(f"`{address}`: the Hub does not know the token; {LOGIN}")
    if status == 403:
        return UserError(f"`{address}`: the token does not allow to read it; {LOGIN}")
    return UserError(f"`{address}`: the Hub answers {status}; check HF_ENDPOINT and the proxy")
