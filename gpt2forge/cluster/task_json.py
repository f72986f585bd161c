"""A task as JSON, which a client sends to a worker, and the events that come back.

1. A worker that shares a file system with its client finds store and sources where the client does.
2. Any other has a store of its own, see own_store.py, and takes the inputs of a task from an exchange.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from gpt2forge.cluster.exchange import Exchange, Watch, name_only, parse_tree
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event, StepAdvanced, StepSampled, StepStarted, StepWaiting
from gpt2forge.executor.task import Task
from gpt2forge.plan.source import Reading, Source
from gpt2forge.stages.stage import Stage
from gpt2forge.store.marker import FILE
from gpt2forge.store.store import Store

EVENTS: Mapping[str, type[Event]] = {
    "step_started": StepStarted,
    "step_waiting": StepWaiting,
    "step_advanced": StepAdvanced,
    "step_sampled": StepSampled,
}
"""The events that a worker sends, by their names in JSON."""


@dataclass(frozen=True)
class Names:
    """Lists the files of a source as the client has listed them."""

    names: tuple[str, ...]

    def __call__(self, folder: Path) -> tuple[str, ...]:
        return self.names


def write_task(task: Task, topic: str, exchange: Mapping[str, Any] | None = None) -> str:
    """Return a task as JSON; `exchange` is what `Exchange.send_inputs` returned.

    Without one, paths must be the same on all machines.
    """
    return json.dumps(
        {
            "topic": topic,
            "recipe": task.recipe,
            "module": task.stage.module,
            "stage": task.stage.name,
            "key": task.key,
            "pre_image": task.pre_image,
            "inputs": task.inputs,
            "sources": {kind: describe_source(source) for kind, source in task.sources.items()},
            "section": task.section,
            "target": task.target,
            "store": str(task.store.root.absolute()),
            "reason": task.reason,
            "expected_seconds": task.expected_seconds,
            "memory": task.memory,
            "is_rerun": task.is_rerun,
            "exchange": exchange,
        }
    )


def describe_source(source: Source) -> dict[str, Any]:
    names = None if source.find is None else [str(file.relative_to(source.path)) for file in source.files]
    return {"path": str(source.path.absolute()), "names": names, "most": source.most}


def open_shared_store(value: Mapping[str, Any], worker: str) -> Store:
    """Return the client's store on the worker of this name. Raises UserError if it is not there."""
    store = Store(Path(value["store"]))
    if not (store.root / FILE).is_file():
        raise UserError(f"{store.root}: is no store on the worker `{worker}`; {SHARE}")
    return store


def take_inputs(value: Mapping[str, Any], store: Store, exchange: Exchange, watch: Watch) -> dict[str, Source]:
    """Bring the inputs of a task from an exchange into a store, and return its sources there, by kind."""
    trees = {kind: parse_tree(tree) for kind, tree in value["exchange"]["inputs"].items()}
    folders = {kind: exchange.take_input(tree, store, watch) for kind, tree in trees.items()}
    return {kind: move_source(source, folders[kind]) for kind, source in parse_sources(value).items()}


def move_source(source: Source, folder: Path) -> Source:
    """Return a source whose files are in another folder now."""
    return replace(source, path=folder / name_only(source.path) if source.find is None else folder)


def read_task(value: Mapping[str, Any], store: Store, sources: Mapping[str, Source], worker: str) -> Task:
    """Return the task that JSON describes, on the worker of this name.

    Raises UserError if a source is not there, or has another content than on the client.
    """
    stage: Stage = import_module(value["module"]).STAGE
    readings = {kind: read_source(source, store, worker) for kind, source in sources.items()}
    for kind, reading in readings.items():
        if reading.digest != value["inputs"][kind]:
            raise UserError(f"{sources[kind].path}: is another file on the worker `{worker}` than here; {SHARE}")
    return Task(
        recipe=value["recipe"],
        stage=stage,
        key=value["key"],
        pre_image=value["pre_image"],
        inputs=value["inputs"],
        sources=sources,
        stats={kind: reading.stats for kind, reading in readings.items()},
        section=value["section"],
        target=value["target"],
        store=store,
        reason=value["reason"],
        expected_seconds=value["expected_seconds"],
        memory=value["memory"],
        is_rerun=value["is_rerun"],
    )


SHARE = "put it on a file system that all machines share, under one path, or give the build an `--exchange`"


def parse_sources(value: Mapping[str, Any]) -> dict[str, Source]:
    """Return the sources of a task where its client has them, by kind."""
    return {kind: parse_source(source) for kind, source in value["sources"].items()}


def parse_source(value: Mapping[str, Any]) -> Source:
    find = None if value["names"] is None else Names(tuple(value["names"]))
    return Source(Path(value["path"]), find, most=value["most"])


def read_source(source: Source, store: Store, worker: str) -> Reading:
    """Read a source on a worker. Raises UserError if it is not there."""
    if not source.path.exists():
        raise UserError(f"{source.path}: is not on the worker `{worker}`; {SHARE}")
    return source.read(store.stat_cache, lambda done, total, unit: None)


def parse_event(value: Mapping[str, Any]) -> Event:
    """Return the event that JSON describes."""
    values = dict(value)
    return EVENTS[values.pop("event")](**values)
