"""Brings the model into every system's own form, each in a process that ends afterwards.

Conversions for other systems take minutes, so they are kept under a digest of their inputs; ours is built anew.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.commands import Peak
from bench.peers.process import start
from bench.peers.systems import OURS, System
from bench.plan import Plan
from bench.prepare import link_folders
from gpt2forge.store.atomic import remove_tree


def prepare(plan: Plan, system: System, weights: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return `path`, `bytes`, `seconds`, `peak_memory_bytes`, and whether an earlier run's result was `kept`.

    `weights` is a folder of transformers named by its content. `before` is the result of the system `after`, whose
    time and memory count here too. Raises PeerFault.
    """
    work = plan.work / "peers" / system.kind
    link_folders(work, plan.work / "checkpoints", plan.work / "examples")
    note, key = work / f"{system.scheme}.json", make_key(system, weights)
    kept = json.loads(note.read_text()) if note.is_file() and system.is_foreign else {}
    if kept.get("key") == key and Path(kept["path"]).exists():
        return {**kept, "kept": True}
    made = make(plan, system, weights, work)
    if before:
        made["seconds"] += before["seconds"]
        made["peak_memory_bytes"] = max(made["peak_memory_bytes"], before["peak_memory_bytes"])
    note.write_text(json.dumps({**made, "key": key}))
    return {**made, "kept": False}


def make_key(system: System, weights: Path) -> str:
    return hashlib.sha256("\n".join([weights.name, system.scheme, *system.read_sources()]).encode()).hexdigest()


def make(plan: Plan, system: System, weights: Path, work: Path) -> dict[str, Any]:
    """Run the preparation, in place of an earlier result."""
    store, place = work / "store", work / system.scheme
    for folder in (store, place):
        if folder.is_dir() and not folder.is_symlink():
            remove_tree(folder)
    source = plan.recipe(system.scheme) if system.kind == OURS else weights
    with start(system, work) as peer:
        peak = Peak(peer.pid)
        made = peer.ask("prepare", peak.watch, weights=str(source), out=str(work), scheme=system.words(plan))
    if system.kind == OURS:  # its store holds float32 too, and only the published package is needed
        package = Path(made["path"]).resolve()
        package.chmod(0o755)
        made["path"] = str(package.rename(place))
        remove_tree(store)
    return {**made, "peak_memory_bytes": peak.bytes}
