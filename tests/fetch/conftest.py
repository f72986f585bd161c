"""A Hub with one repository, and an environment whose cache and server are its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2forge.fetch import retry
from tests.fetch.hub_server import Hub, Repo
from tests.fetch.servers import Folder, serve
from tests.workshop import ROOT

TEMPLATE = "{repo_id}/resolve/{revision}/{filename}"


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Try again without a pause."""
    before = list(retry.PAUSES)
    retry.PAUSES[:] = [0.0] * len(before)
    yield
    retry.PAUSES[:] = before


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "GPT2FORGE_OPENAI_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):  # the servers are on this machine
        monkeypatch.setenv(name, "127.0.0.1")
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model with transformers, weights in one file."""
    from tests.checkpoint.huggingface_writer import make_model, write_huggingface

    return write_huggingface(tmp_path_factory.mktemp("hub") / "model", make_model())


@pytest.fixture
def hub(here: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve the model as `me/tiny`, and lead huggingface_hub there."""
    from huggingface_hub import constants

    server = Hub()
    with serve(server.cdn), serve(server):
        server.repos["me/tiny"] = Repo()
        server.repos["me/tiny"].push(model)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf/hub"))
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{TEMPLATE}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf/token"))
        yield server


@pytest.fixture
def openai(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Serve nano's files as OpenAI's 124M."""
    root = tmp_path / "storage"
    root.mkdir()
    (root / "124M").symlink_to(ROOT / "examples/nano")
    server = Folder(root=root)
    with serve(server) as url:
        monkeypatch.setenv("GPT2FORGE_OPENAI_URL", url)
        yield server
