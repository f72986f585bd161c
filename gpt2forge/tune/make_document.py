"""Makes documents of values that no file holds."""

from collections.abc import Mapping
from typing import Any

from gpt2forge.errors import Place
from gpt2forge.recipe.yaml import Node


def make_node(value: Any, place: Place) -> Node:
    """Return nested values as a document, all at one place."""
    if isinstance(value, Mapping):
        return Node({key: make_node(child, place) for key, child in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([make_node(child, place) for child in value], place)
    return Node(value, place)
