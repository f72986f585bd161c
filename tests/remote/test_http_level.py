"""Builds with an HTTP cache behind the store: a plain one, one as bazel-remote is, nginx, and faulty ones."""

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpt2forge.builder.pull_needed import Range
from gpt2forge.remote import blob_tree, http_level, limits
from gpt2forge.remote.blob import Blob, Content, SourceDamaged
from gpt2forge.remote.http_level import HttpLevel
from tests.fetch.servers import serve
from tests.remote.cache_server import Cache, CacheHandler, Harm
from tests.remote.conftest import Built
from tests.remote.team import SECRET, Machine, copy_level, summarize

ALL_PULLED = [("gather", "reused", False), ("repeat", "reused", False), ("pack", "reused", True)]
PACK_BUILT = [("gather", "reused", False), ("repeat", "reused", True), ("pack", "built", False)]
ALL_BUILT = [(stage, "built", False) for stage in ("gather", "repeat", "pack")]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the servers on this machine without a proxy, and try again after a tenth of the usual pauses."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(http_level, "PAUSES", tuple(pause / 10 for pause in limits.PAUSES))


@pytest.fixture(params=["plain", "bazel"])
def cache(request: pytest.FixtureRequest, level: Path) -> Iterator[Cache]:
    """Serve the folder that the toy job was pushed to."""
    server = Cache(root=level, bazel=request.param == "bazel")
    with serve(server, CacheHandler):
        yield server
        server.released.set()


@pytest.fixture
def plain(level: Path) -> Iterator[Cache]:
    server = Cache(root=level)
    with serve(server, CacheHandler):
        yield server
        server.released.set()


def make_machine(tmp_path: Path, cache: Cache, secret: str | None = "") -> Machine:
    machine = Machine(tmp_path / "store", [f"{cache.url}/team"])
    return machine if secret == "" else Machine(machine.root, machine.levels, secret=secret)


def test_the_package_is_pulled_with_few_requests(built_toy: Built, tmp_path: Path, cache: Cache) -> None:
    machine = make_machine(tmp_path, cache, secret=None)
    assert summarize(machine.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings == []
    assert (cache.count("GET", "ac"), cache.count("HEAD"), cache.count("PUT")) == (3, 0, 0)
    (package,) = machine.list_artifacts()
    assert cache.count("GET", "cas") == len(list((machine.root / "artifacts" / package).iterdir()))
    cache.seen.clear()
    machine.build(built_toy.job)
    assert cache.seen == []


def test_what_is_pushed_can_be_pulled(built_toy: Built, tmp_path: Path, cache: Cache) -> None:
    shutil.rmtree(cache.root)
    cache.root.mkdir()
    machine = make_machine(tmp_path, cache)
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    writes = [seen.path.split("/")[2] for seen in cache.seen if seen.method == "PUT"]
    assert (writes.count("ac"), machine.warnings) == (3, [])
    other = Machine(tmp_path / "other", machine.levels, secret=None)
    assert summarize(other.build(built_toy.job)) == ALL_PULLED


def test_an_entry_whose_blob_was_removed_is_made_and_pushed_again(
    built_toy: Built, tmp_path: Path, cache: Cache
) -> None:
    machine = make_machine(tmp_path, cache)
    (cache.root / "cas" / find_blob(built_toy)).unlink()
    assert summarize(machine.build(built_toy.job))[-1] == ("pack", "built", False)
    other = Machine(tmp_path / "other", machine.levels, secret=None)
    assert summarize(other.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings == []


PASSING = [
    *(Harm(status=status) for status in (429, 500, 503)),
    Harm(status=503, wait="1"),
    *(Harm(cut=cut) for cut in (0, 3)),
    Harm(flip=True),
    Harm(twice=True),
    Harm(twice=True, chunked=True),
    Harm(claim=5),
    Harm(claim=-2),
    Harm(chunked=True),
]


@pytest.mark.parametrize("harm", PASSING, ids=str)
def test_a_fault_that_passes_costs_a_second_try(built_toy: Built, tmp_path: Path, plain: Cache, harm: Harm) -> None:
    machine = make_machine(tmp_path, plain, secret=None)
    plain.harms["GET /team/cas"] = [harm]
    if harm.status or harm.cut is not None:
        plain.harms["GET /team/ac"] = [harm]
    assert summarize(machine.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings == []


LASTING = [
    *(Harm(status=status) for status in (403, 503)),
    Harm(status=429, wait="3600"),
    Harm(cut=0),
    Harm(flip=True),
    Harm(twice=True),
    Harm(twice=True, chunked=True),
    Harm(claim=1000),
    Harm(claim=-1),
    Harm(hang=True),
    Harm(hang=True, cut=2),
    Harm(status=302),
    Harm(status=204),
]


@pytest.mark.parametrize("folder", ["ac", "cas"])
@pytest.mark.parametrize("harm", LASTING, ids=str)
def test_a_fault_that_lasts_costs_no_build_and_at_most_one_warning(
    built_toy: Built, tmp_path: Path, plain: Cache, harm: Harm, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_level, "STALL", 0.5)  # of a transfer; the limit of other requests stays
    machine = make_machine(tmp_path, plain, secret=None)
    plain.always[f"GET /team/{folder}"] = harm
    store, began = machine.open(), time.monotonic()
    pack = built_toy.find("pack")
    with store.hold(), store.lock(str(pack.key)):
        assert store.restore("pack", str(pack.key), lambda done, total, unit: None) is None
    assert time.monotonic() - began < 2
    assert len(machine.warnings) <= 1
    assert not (machine.root / f"artifacts/{pack.digest}").exists()


@pytest.mark.parametrize("harm", [Harm(flip=True), Harm(cut=0), Harm(status=403)], ids=str)
def test_the_step_runs_where_a_level_fails(built_toy: Built, tmp_path: Path, plain: Cache, harm: Harm) -> None:
    machine = make_machine(tmp_path, plain)
    plain.harms[f"GET /team/cas/{find_blob(built_toy)}"] = [harm] * 20
    outcomes = summarize(machine.build(built_toy.job))
    assert outcomes[-1] == ("pack", "built", False)
    package = (machine.root / f"artifacts/{built_toy.find('pack').digest}/model.onnx").read_bytes()
    assert package == (built_toy.store / f"artifacts/{built_toy.find('pack').digest}/model.onnx").read_bytes()


def find_blob(built: Built, name: str = "forge.json") -> str:
    file = built.store / f"artifacts/{built.find('pack').digest}/{name}"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_builds_at_once_pull_each_file_once(built_toy: Built, tmp_path: Path, plain: Cache) -> None:
    machines = [make_machine(tmp_path, plain, secret=None) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda machine: machine.build(built_toy.job), machines))
    assert [[each.outcome for each in steps] for steps in outcomes] == [["reused"] * 3] * 3
    assert plain.count("GET", "cas") == 2
    assert [machine.warnings for machine in machines] == [[]] * 3


def test_a_dead_server_costs_one_warning(built_toy: Built, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "store", ["http://127.0.0.1:9/team"], secret=None)
    began = time.monotonic()
    store = machine.open()
    assert [store.records.find(each.stage, str(each.key)) for each in built_toy.outcomes] == [None] * 3
    assert time.monotonic() - began < 2
    assert len(machine.warnings) == 1


def test_a_host_without_a_name_costs_one_warning(built_toy: Built, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "store", ["http://nowhere.invalid/team"], secret=None)
    began = time.monotonic()
    assert machine.open().records.find("pack", str(built_toy.find("pack").key)) is None
    assert time.monotonic() - began < 2
    assert len(machine.warnings) == 1


def test_the_next_level_is_asked_after_one_that_fails(built_toy: Built, tmp_path: Path, plain: Cache) -> None:
    levels = ["http://127.0.0.1:9/team", f"{plain.url}/team"]
    machine = Machine(tmp_path / "store", levels, secret=None)
    assert summarize(machine.build(built_toy.job)) == ALL_PULLED
    assert len(machine.warnings) == 1


@pytest.mark.parametrize("secret", [None, SECRET], ids=["reader", "writer"])
def test_a_level_that_refuses_to_be_written_is_still_read(
    built_toy: Built, tmp_path: Path, plain: Cache, secret: str | None
) -> None:
    far = copy_level(built_toy.level, tmp_path / "far")
    pack = str(built_toy.find("pack").key)
    (plain.root / "ac" / pack).unlink()
    plain.always["PUT "] = Harm(status=403)
    machine = Machine(tmp_path / "store", [f"{plain.url}/team", str(far)], secret=secret)
    outcomes = machine.build(built_toy.job)
    assert summarize(outcomes) == ALL_PULLED
    assert outcomes[-1].reason == f"pulled from {far}"
    assert ["nothing is pushed to it" in warning for warning in machine.warnings] == [True] * (secret is not None)


PUT_FAULTS = [Harm(status=503), Harm(cut=0), Harm(cut=2)]


@pytest.mark.parametrize("harm", PUT_FAULTS, ids=str)
def test_a_push_is_tried_again(built_toy: Built, tmp_path: Path, plain: Cache, harm: Harm) -> None:
    machine = prepare_push(built_toy, tmp_path, plain)
    plain.harms["PUT /team/cas"], plain.harms["PUT /team/ac"] = [harm], [harm]
    machine.build(built_toy.job)
    assert machine.warnings == []
    assert len(list((plain.root / "ac").iterdir())) == 3


@pytest.mark.parametrize(
    "harm",
    [Harm(drop=True), Harm(status=507), Harm(status=413), Harm(status=405), Harm(cut=1), Harm(status=503, wait="99")],
    ids=str,
)
def test_no_entry_is_written_before_its_blobs_are_there(
    built_toy: Built, tmp_path: Path, plain: Cache, harm: Harm
) -> None:
    machine = prepare_push(built_toy, tmp_path, plain)
    plain.always["PUT /team/cas"] = harm
    machine.build(built_toy.job)
    assert not (plain.root / "ac").exists()
    (warning,) = machine.warnings
    assert warning.endswith("nothing is pushed to it" if harm.status == 405 else "going on without this remote")


def test_a_dropped_entry_is_noticed(built_toy: Built, tmp_path: Path, plain: Cache) -> None:
    machine = prepare_push(built_toy, tmp_path, plain)
    plain.always["PUT /team/ac"] = Harm(drop=True)
    machine.build(built_toy.job)
    (warning,) = machine.warnings
    assert "does not keep what was written to it" in warning


def prepare_push(built: Built, tmp_path: Path, cache: Cache) -> Machine:
    """Return a machine that has built the job, and an empty cache."""
    shutil.rmtree(cache.root)
    cache.root.mkdir()
    machine = make_machine(tmp_path, cache)
    shutil.copytree(built.store, machine.root)
    return machine


def test_a_file_that_is_damaged_here_is_not_pushed(tmp_path: Path, plain: Cache) -> None:
    data = b"x" * (3 << 20)
    path, level = tmp_path / "file", HttpLevel(plain.url, plain.url)
    path.write_bytes(data[:-1] + b"y")
    blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
    with pytest.raises(SourceDamaged):
        level.write(Content(blob, path))
    assert not level.has(blob)


def test_a_large_file_goes_in_parts(
    built_toy: Built, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = prepare_push(built_toy, tmp_path, cache)
    split = blob_tree.split
    monkeypatch.setattr(blob_tree, "split", lambda path, file: split(path, file, 200))
    machine.build(built_toy.job)
    lengths = [
        int(seen.headers["content-length"]) for seen in cache.seen if seen.method == "PUT" and "cas" in seen.path
    ]
    assert max(lengths) == 200
    other = Machine(tmp_path / "other", machine.levels, secret=None)
    cache.harms["GET /team/cas"] = [Harm(cut=2), Harm(), Harm(cut=1), Harm(flip=True)]
    assert summarize(other.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings == []


def test_a_transfer_goes_on_where_it_was_cut(tmp_path: Path, plain: Cache) -> None:
    data = bytes(range(256)) * 4096
    blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
    (plain.root / "cas" / blob.digest).write_bytes(data)
    level = HttpLevel(plain.url, plain.url)
    with level.open(blob, 1000) as reply:
        assert (reply.start, reply.total, b"".join(reply.pieces)) == (1000, len(data), data[1000:])
    assert plain.seen[-1].headers["range"] == "bytes=1000-"


def test_a_transfer_that_is_cut_again_and_again_comes_to_its_end(
    built_toy: Built, tmp_path: Path, plain: Cache
) -> None:
    machine = make_machine(tmp_path, plain, secret=None)
    plain.always[f"GET /team/cas/{find_blob(built_toy, 'model.onnx')}"] = Harm(cut=3)
    assert summarize(machine.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings == []


def test_a_slow_transfer_is_given_up(
    built_toy: Built, tmp_path: Path, plain: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEAST", -1.0)
    machine = make_machine(tmp_path, plain, secret=None)
    assert summarize(machine.build(built_toy.job, Range())) == ALL_BUILT
    (warning,) = machine.warnings
    assert "took more than" in warning


def test_the_user_comes_from_the_address_or_from_netrc(
    built_toy: Built, tmp_path: Path, plain: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.user = "Basic bWU6c2VjcmV0"  # me:secret
    key = str(built_toy.find("pack").key)
    refused = Machine(tmp_path / "a", [plain.url], secret=None)
    assert refused.open().records.find("pack", key) is None
    assert "answers 401" in refused.warnings[0]
    named = Machine(tmp_path / "b", [plain.url.replace("://", "://me:secret@")], secret=None)
    assert named.open().records.find("pack", key)
    assert "secret" not in named.open().addresses[0].name
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert Machine(tmp_path / "c", [plain.url], secret=None).open().records.find("pack", key)


def test_a_secret_is_in_no_message(built_toy: Built, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "store", ["http://me:hidden@127.0.0.1:9/team"], secret=None)
    machine.open().records.find("pack", str(built_toy.find("pack").key))
    assert "hidden" not in machine.warnings[0]


NGINX = """{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; client_max_body_size 0;
  proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location /team/ {{ alias {root}/; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """Run nginx with WebDAV over an empty folder; yield its address."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    folder, root, port = tmp_path / "nginx", tmp_path / "served", find_port()
    user = "user root root;" if os.geteuid() == 0 else ""  # or its workers may not enter the folder
    folder.mkdir()
    root.mkdir()
    (folder / "conf").write_text(NGINX.format(user=user, folder=folder, root=root, port=port))
    process = subprocess.Popen([program, "-c", str(folder / "conf"), "-e", str(folder / "error.log")])
    try:
        wait_for(folder / "pid")
        yield f"http://127.0.0.1:{port}/team"
    finally:
        process.terminate()
        process.wait()


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(path: Path) -> None:
    began = time.monotonic()
    while not path.exists():
        assert time.monotonic() - began < 10
        time.sleep(0.01)


def test_nginx_is_a_level(built_toy: Built, tmp_path: Path, nginx: str) -> None:
    machine = Machine(tmp_path / "store", [nginx])
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    other = Machine(tmp_path / "other", [nginx], secret=None)
    assert summarize(other.build(built_toy.job)) == ALL_PULLED
    folder = Machine(tmp_path / "third", [str(tmp_path / "served")], secret=None)
    assert summarize(folder.build(built_toy.job)) == ALL_PULLED
    assert machine.warnings + other.warnings + folder.warnings == []
