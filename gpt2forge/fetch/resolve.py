"""Resolves an address before a build is planned: the commit that it is now, and the way to fetch it.

What talks to a network is imported only for an address: every command imports this module.
"""

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import Address, HubAddress
from gpt2forge.fetch.resolved import Resolved


def resolve(address: Address) -> Resolved:
    """Resolve an address. Raises UserError if it has no content that can be fetched, or huggingface_hub is missing."""
    if not isinstance(address, HubAddress):
        from gpt2forge.fetch.fetch_from_openai import fetch_openai

        return Resolved(address, None, lambda wanted, advance: fetch_openai(address, advance))
    try:
        from gpt2forge.fetch.hub.fetch_from_hub import resolve_hub
    except ModuleNotFoundError as error:
        if error.name not in ("huggingface_hub", "httpx2"):
            raise
        raise UserError(f"`{address}` needs huggingface_hub 2; install it: pip install 'gpt2forge[hub]'") from error
    return resolve_hub(address)
