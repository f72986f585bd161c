"""configure: name in a package how it writes text, and put the model into it that guesses tokens."""

import json
import shutil
from pathlib import Path
from typing import Protocol

from gpt2forge.stages.stage import DRAFT, PACKAGE, Inputs, Metrics, Stage, Target

WANTED = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_tokens")


class Choice(Protocol):
    """The fields of the section; None for what it leaves as it is."""

    @property
    def guesser(self) -> str | None: ...

    @property
    def guess_tokens(self) -> int | str | None: ...


def run(inputs: Inputs, section: Choice, target: Target, out: Path) -> Metrics:
    """Write the package again with other settings in generation_config.json and genai_config.json.

    A draft becomes the folder `draft/`. Raises UserError if it has another vocabulary than the package.
    """
    from gpt2forge.checkpoint.untrusted_text import read_object
    from gpt2forge.quantize.genai import change_search
    from gpt2forge.runtime.package_settings import read_generation, set_settings

    package = inputs[PACKAGE]
    copied = Copied(inputs, sum(path.stat().st_size for kind in inputs.paths for path in inputs[kind].iterdir()))
    copied.copy_files(package, out)
    if DRAFT in inputs.paths:
        put_draft(inputs[DRAFT], package, out / DRAFT, copied)
    wanted = {name: value for name in WANTED if (value := getattr(section, name)) is not None}
    generation = set_settings(read_generation(package), wanted)
    if section.guesser is not None:
        generation["speculative"] = {"draft": section.guesser, "tokens": section.guess_tokens}
    write_json(out / "generation_config.json", generation)
    genai = read_object(package / "genai_config.json")
    write_json(out / "genai_config.json", {**genai, "search": change_search(genai["search"], generation)})
    forge = read_object(package / "forge.json")
    write_json(out / "forge.json", {name: forge[name] for name in forge if name not in ("sections", "inputs")})
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"package_bytes": size}


class Copied:
    """Copies files, and reports how many bytes are copied."""

    def __init__(self, inputs: Inputs, total: int) -> None:
        self.inputs, self.total, self.done = inputs, total, 0

    def copy_files(self, folder: Path, out: Path) -> None:
        """Copy the files of a folder without their modes: an artifact's are read-only."""
        for path in sorted(folder.iterdir()):
            if path.is_file():
                shutil.copyfile(path, out / path.name)
                self.done += path.stat().st_size
                self.inputs.advance(self.done, self.total, "B")


def put_draft(draft: Path, package: Path, out: Path, copied: Copied) -> None:
    """Copy a draft into a package. Raises UserError if it has another vocabulary.

    The graph gets a name without `.onnx`: hosts that look for graphs in all folders would find two.
    """
    from gpt2forge.checkpoint.written_vocabulary import read_vocabulary
    from gpt2forge.errors import UserError
    from gpt2forge.graph.model_file import DRAFT_FILE, GRAPH_FILE

    if read_vocabulary(draft) != read_vocabulary(package):
        raise UserError("the draft has another vocabulary than the model; name a recipe of a model with the same one")
    out.mkdir()
    copied.copy_files(draft, out)
    (out / GRAPH_FILE).rename(out / DRAFT_FILE)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


STAGE = Stage(
    name="configure",
    section="generation",
    fields=(*WANTED, "guesser", "guess_tokens"),
    target=(),
    reads=(PACKAGE,),
    also_reads=lambda section: (DRAFT,) if section.guesser == DRAFT else (),
    writes=PACKAGE,
    tools=(),
    version=1,
    run=run,
    guess=lambda section, read: read,
    libraries=60 << 20,
    holds=0.02,
)
