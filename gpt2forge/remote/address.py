"""Addresses of remote levels, as settings, the option `--remote` and a variable of the environment name them.

/mnt/team/cache                   a folder that several machines share
https://cache.example/team        an HTTP cache in the layout of Bazel's
s3://bucket/prefix                an object store; gs:// and az:// too
read-only:https://cache.example   one of these, to which nothing is written
none                              no level, as an only word
"""

import re
from dataclasses import dataclass
from typing import Literal

READ_ONLY = "read-only:"
NONE = "none"
VARIABLE = "GPT2FORGE_REMOTE"
HTTP = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?", re.ASCII)
USER = re.compile("(?<=://)[^/]*@")
SECRET = re.compile(r"(?<=://)\S*@")  # also of an address that is none
OBJECTS = re.compile(r"(s3|gs|az)://[A-Za-z0-9][\w.-]*(/[^\s?#]*)?", re.ASCII)
EXPECTED = (
    "must be a folder, or begin with `http://`, `https://`, `s3://`, `gs://` or `az://`, "
    "as in `https://cache.example/team`"
)

Kind = Literal["directory", "http", "objects"]


@dataclass(frozen=True)
class RemoteAddress:
    """The address of a level: its kind, where it is, and whether nothing is written to it."""

    kind: Kind
    place: str
    is_read_only: bool = False

    @property
    def name(self) -> str:
        """The place without a user and a password, as messages show it."""
        return USER.sub("", self.place).rstrip("/") or "/"


def parse_remote(text: str) -> RemoteAddress:
    """Return the address that a text holds. Raises ValueError if it holds none."""
    place = text.removeprefix(READ_ONLY)
    kind = find_kind(place)
    if kind is None:
        raise ValueError(EXPECTED)
    return RemoteAddress(kind, place, text.startswith(READ_ONLY))


def hide_password(text: str) -> str:
    """Return a text without the users and passwords of the addresses in it."""
    return SECRET.sub("", text)


def find_kind(place: str) -> Kind | None:
    if HTTP.fullmatch(place):
        return "http" if has_host(place) else None
    if OBJECTS.fullmatch(place):
        return "objects"
    is_folder = place not in ("", NONE) and "\0" not in place and "://" not in place
    return "directory" if is_folder else None


def has_host(url: str) -> bool:
    """Return whether a URL names a host, and a port that is a number if it names one."""
    from urllib.parse import urlsplit  # only here: most commands have no such address

    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
