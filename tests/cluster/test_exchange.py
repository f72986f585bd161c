"""Clusters whose workers share no folder with the build: files go through a remote level, and are checked by digest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import LocalCluster

from gpt2forge.cluster.exchange import list_files, open_exchange
from gpt2forge.cluster.open_cluster import open_cluster
from gpt2forge.digest import digest_file
from gpt2forge.errors import UserError
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.executor.task import Task, make_task
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.remote.blob_tree import make_blob_tree
from gpt2forge.remote.reach import DamagedBlob
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.inventory import measure_store
from gpt2forge.store.store import Store
from tests.toy.job import begin, make_job, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        dashboard_address=None,
        preload=["gpt2forge.cluster.preload"],
    ) as local:
        yield local.scheduler_address


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store of the worker, which runs in a folder of its own."""
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "worker")
    return Store(tmp_path / "worker/cache")


@pytest.fixture
def level(tmp_path: Path) -> Path:
    (tmp_path / "level").mkdir()
    return tmp_path / "level"


def build(job: Job, store: Store, address: str, level: Path | str) -> JobRun:
    """Build a job on the cluster through an exchange."""
    with open_cluster(address, pytest.fail, open_exchange(str(level))) as backend, store.hold():
        job_run = begin(job, store)
        options = Options(resources=Resources(1, 1), cluster=backend)
        run_jobs([job_run], store, emit=lambda event: None, options=options)
    return job_run


def list_digests(job_run: JobRun) -> list[str | None]:
    return [each.digest for each in job_run.outcomes]


def test_artifacts_are_those_of_a_local_build(
    address: str, own: Store, store: Store, level: Path, source: Path, tmp_path: Path
) -> None:
    job = make_job(source)
    job_run = build(job, store, address, level)
    assert [each.outcome for each in job_run.outcomes] == ["built"] * 3
    local = Store(tmp_path / "local")
    assert [each.digest for each in run(job, local)] == list_digests(job_run)
    for each in job_run.outcomes:
        record = store.find(each.stage, str(each.key))
        assert record and record.digest == each.digest
        assert own.find(each.stage, str(each.key))
    assert [each.outcome for each in run(job, store)] == ["reused"] * 3
    assert not (level / "ac").exists()  # nothing there claims to be the result of a key


def test_worker_reads_only_what_it_was_sent(
    address: str, own: Store, store: Store, level: Path, source: Path, tmp_path: Path
) -> None:
    job = make_job(source)
    job_run = build(job, store, address, level)
    sent = own.artifacts.read_manifest(str(job_run.plan.sources["checkpoint"]))
    assert list(sent.files) == ["a"]
    record = own.records.find("gather", str(job_run.outcomes[0].key))
    assert record and record.pre_image["inputs"] == {"checkpoint": job_run.plan.sources["checkpoint"]}


def test_second_build_sends_nothing_again(
    address: str, own: Store, store: Store, level: Path, source: Path, tmp_path: Path
) -> None:
    build(make_job(source), store, address, level)
    before = {path.name: path.stat().st_ino for path in (level / "cas").iterdir()}
    job_run = build(make_job(source, times=3), Store(tmp_path / "other"), address, level)
    assert job_run.error is None
    after = {path.name: path.stat().st_ino for path in (level / "cas").iterdir()}
    assert before.items() <= after.items()


def make_first_task(job: Job, store: Store) -> Task:
    """Return the task of the step that reads the source."""
    plan = begin(job, store).plan
    return make_task(plan.steps[0], plan, store)


@pytest.mark.parametrize(("most", "size"), [(None, 6), (3, 3), (100, 6)])
def test_single_file_is_sent_as_far_as_it_is_used(
    store: Store, level: Path, source: Path, tmp_path: Path, most: int | None, size: int
) -> None:
    job = make_job(source)
    task = make_first_task(replace(job, sources={"checkpoint": Source(source / "a", most=most)}), store)
    exchange = open_exchange(str(level))
    tree = exchange.send_input(task, "checkpoint", task.inputs["checkpoint"], ignore)
    assert [(name, file.size) for name, file in tree.manifest.files.items()] == [("a", size)]
    own = Store(tmp_path / "own")
    there = Source(exchange.take_input(tree, own, ignore) / "a", most=most)
    assert there.read(own.stat_cache, ignore).digest == task.inputs["checkpoint"]


@pytest.mark.parametrize("is_gone", [True, False])
@pytest.mark.parametrize("name", ["a", "text"])
def test_blobs_gone_or_damaged_are_written_anew(
    address: str, own: Store, store: Store, level: Path, source: Path, tmp_path: Path, name: str, is_gone: bool
) -> None:
    job_run = build(make_job(source), store, address, level)
    folder = source if name == "a" else store.artifacts.folder(str(job_run.outcomes[0].digest))
    blob = level / "cas" / digest_file(folder / name)
    spoil(blob, is_gone)
    remove_tree(own.root)
    again = build(make_job(source), Store(tmp_path / "again"), address, level)
    assert again.error is None
    assert list_digests(again) == list_digests(job_run)
    assert digest_file(blob) == blob.name


def spoil(blob: Path, is_gone: bool) -> None:
    data = blob.read_bytes()
    blob.unlink()
    if not is_gone:
        blob.write_bytes(bytes(byte ^ 1 for byte in data))


def test_result_that_is_damaged_on_its_way_back_is_sent_again(store: Store, level: Path, source: Path) -> None:
    job = make_job(source)
    run(job, store)
    (record,) = store.records.list("repeat")
    worker, client = (open_exchange(str(level)) for _ in range(2))
    worker.send_artifact(store, record.digest, ignore)
    for blob in (level / "cas").iterdir():
        spoil(blob, is_gone=False)
    tree = client.trees[record.digest] = worker.trees[record.digest]
    other = Store(source.parent / "other")
    with pytest.raises(DamagedBlob, match="a proxy or the network damaged it"):
        client.take_input(tree, other, ignore)
    worker.note_unusable(client.list_unusable())
    worker.send_artifact(store, record.digest, ignore)
    assert other.artifacts.folder(record.digest) == client.take_input(tree, other, ignore)


def test_source_that_changes_on_its_way_is_refused(store: Store, level: Path, source: Path) -> None:
    task = make_first_task(make_job(source), store)
    exchange = open_exchange(str(level))
    manifest = list_files(task.sources["checkpoint"], store)
    exchange.trees[f"source {task.inputs['checkpoint']}"] = make_blob_tree(manifest, source)
    (source / "a").write_text("jello ")
    with pytest.raises(UserError, match=f"^{source}: changed while it was being read; build again"):
        exchange.send_input(task, "checkpoint", task.inputs["checkpoint"], ignore)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://host", "`--exchange ftp://host`: must be a folder, or begin with `http://`"),
        ("read-only:/mnt/x", "`--exchange read-only:/mnt/x`: is written to; leave out `read-only:`"),
        ("none", "`--exchange none`: must be a folder"),
    ],
)
def test_address_that_is_none_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        open_exchange(text)
    assert str(caught.value).startswith(message)


def test_folder_that_is_not_there_is_one_line(address: str, own: Store, store: Store, source: Path) -> None:
    job_run = build(make_job(source), store, address, source.parent / "nowhere")
    assert str(job_run.error) == f"{source.parent / 'nowhere'}: there is no such folder; mount it, or make it"


def test_store_of_a_worker_stays_within_its_limit(
    address: str, own: Store, store: Store, level: Path, source: Path
) -> None:
    source.mkdir()
    (source / "a").write_bytes(b"long " * 1000)
    (own.root.parent / "gpt2forge.yaml").write_text("store: {max_size: 12KB}\n")
    job_run = build(make_job(source, times=3), store, address, level)
    assert job_run.error is None
    assert measure_store(own) <= 12_000
    assert store.find("repeat", str(job_run.outcomes[1].key))


def ignore(done: int, total: int, unit: str) -> None: ...
