"""Connects to a Dask cluster, and refuses workers that have other versions."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpt2forge.cluster.environment import (
    MEASURE,
    Environment,
    WorkerOffer,
    list_differences,
    parse_environment,
    read_environment,
)
from gpt2forge.cluster.exchange import Exchange
from gpt2forge.errors import UserError
from gpt2forge.plan.machine import Machine

if TYPE_CHECKING:
    from distributed import Client

    from gpt2forge.cluster.dask_backend import DaskBackend

PAUSE = 0.5  # seconds between two looks for the first worker
PRELOAD = "--preload gpt2forge.cluster.preload"

Warn = Callable[[str], None]


@contextmanager
def open_cluster(address: str, warn: Warn, exchange: Exchange | None = None) -> "Iterator[DaskBackend]":
    """Connect to the scheduler at an address, wait for a worker, and yield a backend; disconnect at the end.

    `exchange` is what the workers use if they share no file system with this machine. `warn` is called for each worker
    that gets no step.

    Raises UserError if distributed is not installed, no scheduler answers, or all workers are refused.
    """
    try:
        from gpt2forge.cluster.dask_backend import DaskBackend, Link
    except ModuleNotFoundError as error:
        raise UserError(f"`--cluster`: needs {error.name}: pip install 'gpt2forge[cluster]'") from error
    links = [Link(connect(address))]
    try:
        client, ours = links[0].client, read_environment()
        workers = choose_workers(client, address, ours, warn)
        yield DaskBackend(links, address, ours.label, choose_machine(client, workers), exchange)
    finally:
        for link in links:
            link.close()


def connect(address: str) -> "Client":
    """Connect to a scheduler. Raises UserError if none answers at once."""
    from gpt2forge.cluster import dask_backend

    silence_loggers()
    try:
        return dask_backend.connect(address)
    except (OSError, ValueError) as error:
        fix = "start one with `dask scheduler`, and name its address, as in `tcp://host:8786`"
        raise UserError(f"`--cluster {address}`: no scheduler answers; {fix}") from error


def silence_loggers() -> None:
    """Keep Dask's lines from the terminal: what goes wrong is one line of ours."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def choose_workers(client: "Client", address: str, ours: Environment, warn: Warn) -> list[WorkerOffer]:
    """Return the workers that have our versions; `warn` of the others. Raises UserError if all are others."""
    workers = wait_for_workers(client, address, warn)
    fit = [worker for worker in workers if worker.offers([ours.label])]
    refused = list(explain_refused(client, [worker for worker in workers if worker not in fit], ours))
    if not fit:
        raise UserError(*refused)
    for line in refused:
        warn(f"{line}; it gets no step")
    return fit


def wait_for_workers(client: "Client", address: str, warn: Warn) -> list[WorkerOffer]:
    """Return the workers of a cluster, once it has one."""
    from gpt2forge.cluster.dask_backend import list_workers

    workers = list_workers(client)
    if not workers:
        warn(f"{address} has no workers yet; waiting for one: `dask worker {address} {PRELOAD}`")
    while not workers:
        time.sleep(PAUSE)
        workers = list_workers(client)
    return workers


def explain_refused(client: "Client", workers: Sequence[WorkerOffer], ours: Environment) -> Iterator[str]:
    """Yield a line for each of these workers that says why it gets no step."""
    found = describe(client, workers) if workers else {}
    for worker in workers:
        value = found.get(worker.address)
        differences = list_differences(parse_environment(value), ours) if isinstance(value, dict) else []
        if not isinstance(value, dict):
            why = f"cannot import gpt2forge: {value}; install it there"
        elif differences:
            why = f"has {', '.join(differences)}; install the same versions there"
        else:
            why = f"was started without `{PRELOAD}`; add that"
        yield f"worker `{worker.name}` ({worker.address}): {why}"


def describe(client: "Client", workers: Sequence[WorkerOffer]) -> dict[str, Any]:
    """Return the environments of workers as JSON by their addresses; an exception of those that have no gpt2forge."""
    from gpt2forge.cluster.worker_step import describe_environment

    addresses = [worker.address for worker in workers]
    found: dict[str, Any] = client.run(describe_environment, workers=addresses, on_error="return")
    return found


def choose_machine(client: "Client", workers: Sequence[WorkerOffer]) -> Machine:
    """Return the facts that enter the keys: of a host, those of the workers that measure; else, of the most workers."""
    environments = describe(client, workers)
    machines = [parse_environment(environments[worker.address]).machine for worker in workers]
    usual = find_usual(machines)
    measuring = [machine for worker, machine in zip(workers, machines, strict=True) if MEASURE in worker.resources]
    return replace(usual, host=find_usual(measuring or [usual]).host)


def find_usual(machines: Sequence[Machine]) -> Machine:
    """Return the machine that most of these are like."""
    counts = Counter(map(repr, machines))
    return max(machines, key=lambda machine: counts[repr(machine)])
