"""The provenance of an artifact, its file forge.json. It holds nothing that differs between hosts.

{"sections": {"target": {...}, "fusion": {...}}, "inputs": {"convert": {"checkpoint": digest}, ...},
 in a package also "tools": {tool: version}, and the values that the stage itself added, such as "tensors";
 "assumed": {tool: [version that made it, version that was assumed equivalent]}}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.stages.stage import DRAFT, PACKAGE, Stage

NAME = "forge.json"


def write_provenance(
    out: Path,
    stage: Stage,
    *,
    section: Mapping[str, Any],
    target: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the provenance of the artifact in `out`.

    `inputs` are {kind: {"path", "digest", "made"}}: a source, which no step made, has no provenance, even if it holds a
    forge.json; that of a draft is in its own folder. `section` and `target` hold the values that the stage read. Only a
    package lists tools: so an upgrade that changes no weights and no graphs changes none of their artifacts.
    """
    provenance: dict[str, Any] = {"sections": {}, "inputs": {}}
    for kind, source in inputs.items():
        earlier = read_provenance(Path(source["path"])) if source["made"] and kind != DRAFT else {}
        provenance["sections"] |= earlier.get("sections", {})
        provenance["inputs"] |= earlier.get("inputs", {})
    if stage.section:
        provenance["sections"][stage.section] = section
    provenance["sections"]["target"] = {**provenance["sections"].get("target", {}), **target}
    provenance["inputs"][stage.name] = {kind: source["digest"] for kind, source in inputs.items()}
    if stage.writes == PACKAGE:
        provenance["tools"] = stage.tool_versions()
    add_provenance(out, {**provenance, **read_provenance(out)})


def add_provenance(out: Path, more: Mapping[str, Any]) -> None:
    """Add values to the provenance of a folder, which need not have one yet."""
    (out / NAME).write_text(json.dumps({**read_provenance(out), **more}, indent=1, sort_keys=True) + "\n")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the provenance of a folder; empty if it has none. Raises UserError if it is damaged."""
    path = folder / NAME
    return read_object(path) if path.is_file() else {}
