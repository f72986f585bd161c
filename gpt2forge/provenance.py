"""forge.json, which lies in every artifact: how it was made. It holds nothing that differs between hosts.

{"sections": {"target": {...}, "fusion": {...}}, "inputs": {"convert": {"checkpoint": digest}, ...},
 "tools": {...versions of the last step's tools}, and what the last stage itself left there, such as "tensors"}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt2forge.stage import Stage

NAME = "forge.json"


def write_provenance(
    out: Path,
    stage: Stage,
    section: Mapping[str, Any],
    target: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, str]],
) -> None:
    """Say in `out` how it was made. `inputs` are {kind: {"folder", "digest"}}; `section` and `target` what was read."""
    story: dict[str, Any] = {"sections": {}, "inputs": {}}
    for source in inputs.values():
        told = read_story(Path(source["folder"]))
        story["sections"] |= told.get("sections", {})
        story["inputs"] |= told.get("inputs", {})
    if stage.section:
        story["sections"][stage.section] = section
    story["sections"]["target"] = {**story["sections"].get("target", {}), **target}
    story["inputs"][stage.name] = {kind: source["digest"] for kind, source in inputs.items()}
    story["tools"] = stage.tool_versions()
    own = read_story(out)
    (out / NAME).write_text(json.dumps({**story, **own}, indent=1, sort_keys=True) + "\n")


def read_story(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    return dict(json.loads(path.read_text())) if path.is_file() else {}
