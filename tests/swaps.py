"""Swaps the paths of sources while something reads them."""

from pathlib import Path


def exchange(one: Path, other: Path) -> None:
    """Let two paths change places."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def relink(link: Path, one: str, other: str) -> None:
    """Let a link that leads to one of two folders lead to the other."""
    aside = link.with_name("next")
    aside.symlink_to(other if link.readlink() == Path(one) else one)
    aside.replace(link)
