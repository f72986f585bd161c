"""Says why no worker of a cluster can run a step."""

from collections.abc import Sequence

from gpt2forge.cluster.environment import MEASURE, WorkerOffer
from gpt2forge.executor.task import Task

KINDS = {
    "host": "was planned for machines of another kind",
    "processor": "was planned for another processor",
    "threads": "was planned for another number of threads",
}


def explain_unfit(task: Task, labels: Sequence[str], workers: Sequence[WorkerOffer], address: str) -> str:
    """Return an error for a task whose labels no worker offers: its first cause, and how to fix it."""
    name = f"`{task.stage.name}` of {task.recipe}"
    own, *others = labels
    able = [worker for worker in workers if worker.offers([own])]
    if not able:
        return f"{address}: no worker is left that has the versions of this machine; start one"
    missing = [label for label in others if not any(worker.offers([own, label]) for worker in able)]
    if MEASURE in missing:
        fix = f"start one with `--resources {MEASURE}=1`, or leave it out with `--skip {task.stage.name}`"
        return f"{name}: no worker of {address} is there to measure; {fix}"
    kinds = [KINDS[label.partition("-")[0]] for label in missing]
    why = kinds[0] if kinds else "fits none of them alone"
    return f"{name}: {why} than the workers of {address} are now; build again"
