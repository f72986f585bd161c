"""Publishes small packages from a store, as a build does, for tests of what garbage collection keeps."""

from pathlib import Path

from gpt2forge.builder.publish import publish
from gpt2forge.digest import digest_bytes
from gpt2forge.store.roots import register
from gpt2forge.store.store import Store
from tests.store.made import put


def publish_package(store: Store, output: Path, content: str) -> str:
    """Publish a package that holds this content, and return its digest."""
    with store.hold():
        digest = put(store, {"model.onnx": content.encode()}, digest_bytes(content.encode()))
        register(store, output, recipe=output.name, steps={"quantize": digest}, package=digest)
        publish(output, store.artifacts.folder(digest))
    return digest


def is_served(output: Path) -> bool:
    """Return whether an output still leads to its package."""
    return (output / "model.onnx").is_file()
