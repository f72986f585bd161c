"""Reads what the plans of one command need besides their recipes, each thing once.

Plans that are made together describe one moment, so what one of them has read need not be read for the next. Nothing is
remembered between commands, or between a plan and a step that runs: whoever must know what changed makes new Readings.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import cache, partial
from typing import Any, TypeVar

from gpt2forge.measure.host import describe_host, describe_processor, describe_threads
from gpt2forge.plan.code import digest_code
from gpt2forge.plan.machine import Machine
from gpt2forge.plan.nearest import MOST, Nearest, find_earlier
from gpt2forge.plan.source import Reading, Source
from gpt2forge.plan.tools import find_version
from gpt2forge.stages.stage import Advance, Stage
from gpt2forge.store.roots import list_owners
from gpt2forge.store.store import Store

Made = TypeVar("Made")


class Readings:
    """Reads code, tools, the machine, sources and the artifacts of a store, each once.

    `machine` are the facts of another machine, on which the steps will run.
    """

    def __init__(self, store: Store, machine: Machine | None = None) -> None:
        self.store, self.machine = store, machine
        self.sources: dict[Source, Reading] = {}
        self.made: dict[Hashable, Any] = {}
        self.digest_code = cache(partial(digest_code, stat_cache=store.stat_cache, known={}))
        self.describe_host = cache(lambda: dict(machine.host) if machine else describe_host())
        self.describe_processor = cache(lambda: machine.processor if machine else describe_processor())
        self.describe_threads = cache(lambda: machine.threads if machine else describe_threads())
        self.find_version = cache(find_version)
        self.find = cache(store.find)
        self.find_evicted = cache(store.find_evicted)
        self.measure = cache(store.artifacts.measure)
        self.index = cache(store.records.index)
        self.list_newest = cache(lambda stage: self.index(stage).list_newest(MOST))
        self.list_owners = cache(lambda: list_owners(store))

    def find_versions(self, stage: Stage) -> dict[str, str | None]:
        """Look up the version of each tool that a stage declares."""
        return {tool: self.find_version(tool) for tool in stage.tools}

    def find_earlier(self, stage: str, pre_image: Mapping[str, Any]) -> Nearest | None:
        """Find the earlier run that a step of a stage is compared with."""
        index, newest = self.index(stage), self.list_newest(stage)
        return find_earlier(pre_image, index, self.store.records, newest=newest)

    def find_owner(self, stage: str, digest: str) -> str | None:
        """Return the recipe that was last published with this artifact; None if no output uses it."""
        return self.list_owners().get((stage, digest))

    def recall(self, subject: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for an equal subject before, or else make it."""
        if subject not in self.made:
            self.made[subject] = make()
        made: Made = self.made[subject]
        return made

    def read_source(self, source: Source, advance: Advance) -> Reading:
        """Read a source. `advance` is called with the bytes that must be read for its digest."""
        if source not in self.sources:
            self.sources[source] = source.read(self.store.stat_cache, advance)
        return self.sources[source]
