"""The resources that workers offer and steps ask for, and the words for those that do not match."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.cluster.environment import (
    MEASURE,
    MEMORY,
    Environment,
    WorkerOffer,
    list_differences,
    list_labels,
    name_label,
    parse_environment,
)
from gpt2forge.cluster.explain_unfit import explain_unfit
from gpt2forge.executor.task import Task
from gpt2forge.plan.machine import Machine
from gpt2forge.store.store import Store
from tests.toy import alone, gather

MACHINE = Machine({"processor": "one", "threads": 8}, "kind one", "8 threads")
OURS = Environment("code", {"onnx": "1.2", "torch": "2.0"}, MACHINE)
LABEL = OURS.label


def make_task(tmp_path: Path, is_measuring: bool) -> Task:
    return Task(
        recipe="toy",
        stage=alone.STAGE if is_measuring else gather.STAGE,
        key="0" * 64,
        pre_image={"host": MACHINE.host} if is_measuring else {"tools": {}},
        inputs={},
        sources={},
        stats={},
        section={},
        target={},
        store=Store(tmp_path / "cache"),
        reason="",
    )


def make_worker(*labels: str) -> WorkerOffer:
    return WorkerOffer("tcp://w:1", "w", {MEMORY: 1e9, **dict.fromkeys(labels, 1.0)})


def test_environment_survives_json_and_every_difference_is_named() -> None:
    assert parse_environment(OURS.to_json()) == OURS
    other = replace(OURS, code="other", tools={"onnx": "1.1", "torch": None})
    assert list_differences(other, OURS) == [
        "another gpt2forge",
        "onnx 1.1 in place of 1.2",
        "no torch in place of 2.0",
    ]
    assert other.label != LABEL
    assert replace(OURS, machine=replace(MACHINE, threads="4 threads")).label == LABEL


def test_measuring_step_asks_for_its_host_and_for_a_worker_that_measures(tmp_path: Path) -> None:
    assert list_labels(make_task(tmp_path, False), LABEL) == [LABEL]
    labels = list_labels(make_task(tmp_path, True), LABEL)
    assert labels == [LABEL, name_label("host", MACHINE.host), MEASURE]
    assert make_worker(*OURS.labels, MEASURE).offers(labels)
    assert not make_worker(*OURS.labels).offers(labels)


def test_a_step_that_no_worker_can_run_says_what_is_missing(tmp_path: Path) -> None:
    task = make_task(tmp_path, True)
    labels = list_labels(task, LABEL)

    def explain(*offered: str) -> str:
        return explain_unfit(task, labels, [make_worker(*offered)], "tcp://s:1")

    assert explain() == "tcp://s:1: no worker is left that has the versions of this machine; start one"
    assert explain(*OURS.labels) == (
        "`alone` of toy: no worker of tcp://s:1 is there to measure; start one with `--resources MEASURE=1`, "
        "or leave it out with `--skip alone`"
    )
    assert explain(LABEL, MEASURE) == (
        "`alone` of toy: was planned for machines of another kind than the workers of tcp://s:1 are now; build again"
    )
