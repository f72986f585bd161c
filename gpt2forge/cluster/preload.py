"""Prepares each worker of a cluster: `dask worker ADDRESS --preload gpt2forge.cluster.preload`.

It lets the worker offer the resources of `environment.py` before it joins, so that they are there again after its nanny
has restarted it.
"""

from distributed import Worker

from gpt2forge.cluster.environment import MEMORY, PLENTY, read_environment
from gpt2forge.executor.resources import find_memory


def dask_setup(worker: Worker) -> None:
    """Add resources to a worker that starts. A MEMORY that it was started with stays."""
    offered = dict.fromkeys(read_environment().labels, PLENTY)
    if MEMORY not in worker.state.total_resources:
        offered[MEMORY] = float(worker.memory_manager.memory_limit or find_memory())
    for resources in (worker.state.total_resources, worker.state.available_resources):
        resources.update(offered)
