"""Clusters whose workers share no folder with the build: files go through a remote level, and are checked by digest."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import LocalCluster

from gpt2forge.cluster.exchange import Watch, open_exchange
from gpt2forge.cluster.open_cluster import open_cluster
from gpt2forge.digest import digest_file
from gpt2forge.errors import UserError
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.executor.task import Task, make_task
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
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
    job, text = make_job(source), tmp_path / f"{'x' * 240}\\a.txt"
    (source / "a").rename(text)
    task = make_first_task(replace(job, sources={"checkpoint": Source(text, most=most)}), store)
    exchange = open_exchange(str(level))
    tree = exchange.send_input(task, "checkpoint", task.inputs["checkpoint"], CALM)
    assert [(name, file.size) for name, file in tree.manifest.files.items()] == [("source.txt", size)]
    own = Store(tmp_path / "own")
    there = Source(exchange.take_input(tree, own, CALM) / "source.txt", most=most)
    assert there.read(own.stat_cache, CALM.advance).digest == task.inputs["checkpoint"]


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
    worker.send_artifact(store, record.digest, CALM)
    for blob in (level / "cas").iterdir():
        spoil(blob, is_gone=False)
    tree = client.trees[record.digest] = worker.trees[record.digest]
    other = Store(source.parent / "other")
    with pytest.raises(DamagedBlob, match="a proxy or the network damaged it"):
        client.take_input(tree, other, CALM)
    worker.note_unusable(client.list_unusable())
    worker.send_artifact(store, record.digest, CALM)
    assert other.artifacts.folder(record.digest) == client.take_input(tree, other, CALM)


def test_source_that_changes_on_its_way_is_refused(store: Store, level: Path, source: Path) -> None:
    task = make_first_task(make_job(source), store)
    (source / "a").write_text("jello ")
    with pytest.raises(UserError, match=f"^{source}: changed while it was being read; build again"):
        open_exchange(str(level)).send_input(task, "checkpoint", task.inputs["checkpoint"], CALM)
    assert not (level / "cas").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://host", "`--exchange ftp://host`: must be a folder, or begin with `http://`"),
        ("read-only:/mnt/x", "`--exchange read-only:/mnt/x`: is written to; leave out `read-only:`"),
        ("none", "`--exchange none`: must be a folder"),
        ("", "`--exchange `: must be a folder"),
        ("ftp://me:hunter2@host/x", "`--exchange ftp://host/x`: must be a folder"),
        ("read-only:https://me:hunter2@host/x", "`--exchange read-only:https://host/x`: is written to"),
        ("https://me:hunt/er2@127.0.0.1/x", "`--exchange https://127.0.0.1/x`: must be a folder"),
        ("http://me:hunter2@[::1/x", "`--exchange http://[::1/x`: must be a folder"),
        ("http://me:hunter2@/x", "`--exchange http:///x`: must be a folder"),
    ],
)
def test_address_that_is_none_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        open_exchange(text)
    assert str(caught.value).startswith(message)


def test_folder_that_is_not_there_is_one_line(address: str, own: Store, store: Store, source: Path) -> None:
    job_run = build(make_job(source), store, address, source.parent / "nowhere")
    assert str(job_run.error) == f"{source.parent / 'nowhere'}: there is no such folder; mount it, or make it"


def test_errors_of_a_worker_name_it_and_the_source_where_the_user_has_it(
    address: str, own: Store, store: Store, level: Path, source: Path
) -> None:
    (own.root.parent / "gpt2forge.yaml").write_text("store: {max_size: lots}\n")
    job_run = build(make_job(source), store, address, level)
    assert re.match(
        r"the worker `[^`]*`: gpt2forge.yaml:1:9: `store.max_size: lots` must be a size", str(job_run.error)
    )
    (own.root.parent / "gpt2forge.yaml").unlink()
    own.root.write_text("")
    job_run = build(make_job(source), store, address, level)
    assert re.match(rf"the worker `[^`]*`: {own.root}: cannot be a store: Not a directory", str(job_run.error))


def test_log_of_a_crash_is_where_the_error_says(
    address: str, own: Store, store: Store, level: Path, source: Path
) -> None:
    job_run = build(make_job(source, end="crash"), store, address, level)
    assert isinstance(job_run.error, StageCrash)
    assert "ValueError: a bug" in job_run.error.log.read_text()
    assert job_run.error.log.is_relative_to(store.root)


def test_empty_file_is_sent_and_mended_too(
    address: str, own: Store, store: Store, level: Path, source: Path, tmp_path: Path
) -> None:
    make_job(source)
    (source / "empty").write_text("")
    first = build(make_job(source), store, address, level)
    for blob in (level / "cas").iterdir():
        spoil(blob, is_gone=True)
    remove_tree(own.root)
    again = build(make_job(source), Store(tmp_path / "again"), address, level)
    assert list_digests(again) == list_digests(first)


def test_what_an_interrupted_step_left_goes_with_the_next(
    address: str, own: Store, store: Store, level: Path, source: Path
) -> None:
    left = own.root / "making" / ("0" * 64)
    with own.hold():
        left.mkdir(parents=True)
    (left / "part").write_text("half")
    assert build(make_job(source), store, address, level).error is None
    assert not left.exists()


def test_transfer_can_be_interrupted_in_the_middle_of_a_blob(store: Store, level: Path, source: Path) -> None:
    make_job(source)
    (source / "a").write_bytes(b"-" * (5 << 20))
    task, seen = make_first_task(make_job(source), store), []

    def interrupt(done: int, total: int, unit: str) -> None:
        seen.append(done)
        raise KeyboardInterrupt

    exchange = open_exchange(str(level))
    with pytest.raises(KeyboardInterrupt):
        exchange.send_input(task, "checkpoint", task.inputs["checkpoint"], Watch(interrupt, lambda: None))
    assert seen == [1 << 20]
    assert not exchange.sending.locked()
    assert not any((level / "cas").glob("*"))


def test_step_that_waits_to_send_can_be_interrupted(store: Store, level: Path, source: Path) -> None:
    task, exchange = make_first_task(make_job(source), store), open_exchange(str(level))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with exchange.sending, pytest.raises(KeyboardInterrupt):
        exchange.send_input(task, "checkpoint", task.inputs["checkpoint"], Watch(CALM.advance, interrupt))


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


CALM = Watch(lambda done, total, unit: None, lambda: None)
