"""Builds with an S3 bucket behind the store: moto's server on loopback, in an environment of its own, `.interop`."""

import hashlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("obstore")

import obstore

from gpt2forge.cluster.exchange import Watch, open_exchange
from gpt2forge.remote import blob_tree, object_level
from gpt2forge.remote.blob import Blob, Content, SourceDamaged
from gpt2forge.remote.level import BlobGone
from gpt2forge.store.store import Store
from interop.environments import EnvironmentFault, make_python
from tests.remote.conftest import Built
from tests.remote.team import Machine, summarize
from tests.remote.test_http_level import find_port

pytestmark = pytest.mark.slow

ALL_PULLED = [("gather", "reused", False), ("repeat", "reused", False), ("pack", "reused", True)]
HERE = Path(__file__).parent
SERVER = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Run moto's server; yield its address."""
    try:
        python = make_python("moto_server", HERE)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([python, "-c", SERVER, str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(url)
            yield url
        finally:
            process.kill()


def wait_for(url: str) -> None:
    began = time.monotonic()
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/moto-api/data.json"):
                return
        except OSError:
            assert time.monotonic() - began < 60
            time.sleep(0.1)


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Make a bucket; return the address of a level in it."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    name = f"b{abs(hash(request.node.name)):x}"
    make = urllib.request.Request(f"{endpoint}/{name}", method="PUT")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(make):
        return f"s3://{name}/team"


def push(built: Built, tmp_path: Path, bucket: str) -> Machine:
    machine = Machine(tmp_path / "store", [bucket])
    shutil.copytree(built.store, machine.root)
    machine.build(built.job)
    return machine


def test_what_is_pushed_can_be_pulled(built_toy: Built, tmp_path: Path, bucket: str) -> None:
    machine = push(built_toy, tmp_path, bucket)
    other = Machine(tmp_path / "other", [bucket], secret=None)
    assert summarize(other.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings == []


def test_a_blob_that_was_removed_is_pushed_again(built_toy: Built, tmp_path: Path, bucket: str) -> None:
    machine = push(built_toy, tmp_path, bucket)
    store = object_level.ObjectLevel(bucket).bucket
    package = built_toy.store / f"artifacts/{built_toy.find('pack').digest}.json"
    obstore.delete(store, f"cas/{json.loads(package.read_text())['forge.json']['sha256']}")
    other = Machine(tmp_path / "other", [bucket])
    assert summarize(other.build(built_toy.job))[-1] == ("pack", "built", False)
    third = Machine(tmp_path / "third", [bucket], secret=None)
    assert summarize(third.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings + third.warnings == []


def test_a_large_file_goes_in_parts(
    built_toy: Built, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = blob_tree.split
    monkeypatch.setattr(blob_tree, "split", lambda path, file: split(path, file, 200))
    monkeypatch.setattr(object_level, "AT_ONCE", 50)  # what is larger is sent as S3's own parts
    machine = push(built_toy, tmp_path, bucket)
    other = Machine(tmp_path / "other", [bucket], secret=None)
    assert summarize(other.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings == []


def test_a_transfer_goes_on_from_an_offset(built_toy: Built, tmp_path: Path, bucket: str) -> None:
    level, path = object_level.ObjectLevel(bucket), tmp_path / "file"
    data = bytes(range(256)) * 1000
    path.write_bytes(data)
    blob = Blob("0" * 64, len(data))
    with pytest.raises(BlobGone), level.open(blob, 0):
        pass
    blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
    level.write(Content(blob, path))
    with level.open(blob, 1000) as reply:
        assert (reply.start, reply.total, b"".join(reply.pieces)) == (1000, len(data), data[1000:])


@pytest.mark.parametrize("size", [100, object_level.AT_ONCE + 100])
def test_a_file_that_is_damaged_here_is_not_pushed(tmp_path: Path, bucket: str, size: int) -> None:
    level, path = object_level.ObjectLevel(bucket), tmp_path / "file"
    path.write_bytes(b"y" * size)
    blob = Blob(hashlib.sha256(b"x" * size).hexdigest(), size)
    with pytest.raises(SourceDamaged):
        level.write(Content(blob, path))
    assert not level.has(blob)


@pytest.mark.parametrize("endpoint_", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_dead_store_costs_one_warning(
    built_toy: Built, tmp_path: Path, endpoint_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint_}.items():
        monkeypatch.setenv(name, value)
    machine = Machine(tmp_path / "store", ["s3://bucket/team"], secret=None)
    store, began = machine.open(), time.monotonic()
    assert [store.records.find(each.stage, str(each.key)) for each in built_toy.outcomes] == [None] * 3
    assert time.monotonic() - began < 2.5  # with the import of obstore
    assert len(machine.warnings) == 1


def test_a_bucket_that_is_not_there_costs_one_warning(built_toy: Built, tmp_path: Path, bucket: str) -> None:
    machine = Machine(tmp_path / "store", ["s3://nothing-of-that-name/team"])
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    assert machine.warnings == [f"{machine.levels[0]}: there is no such bucket; going on without this remote"]


def test_workers_of_a_cluster_take_their_inputs_from_a_bucket(built_toy: Built, tmp_path: Path, bucket: str) -> None:
    store, own = Store(built_toy.store), Store(tmp_path / "own")
    client, worker = open_exchange(bucket), open_exchange(bucket)
    digest = str(built_toy.find("pack").digest)
    watch = Watch(lambda done, total, unit: None, lambda: None)
    folder = worker.take_input(client.send_artifact(store, digest, watch), own, watch)
    assert own.artifacts.is_sound(digest)
    assert folder == own.artifacts.folder(digest)
