"""A team's recipes, and a store in which all their steps are made, by simulation.

1. The recipes are files, and the planner is the real one. Each checkpoint is nano's with another hparams.json, so that
   all their steps have different keys.
2. No step runs. Its record is that of a real build of nano, with the key that the planner gives it and with the bytes
   that a model of the checkpoint's shape has. Its artifact is a stand-in of one small file.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.commands import BUILD, ROOT, run_command
from bench.scale import list_records, write_stand_in
from bench.shapes import NANO, SHAPES, Shape
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import add_inputs, make_key
from gpt2forge.plan.plan import Plan, make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.recipe.load import load_recipes
from gpt2forge.recipe.project import SETTINGS
from gpt2forge.stages.stage import PACKAGE, Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store

MIX = (*["124m"] * 4, *["355m"] * 3, *["774m"] * 2, "1558m")
"""The shapes of ten checkpoints in a row."""

GUESSED = ("weights", PACKAGE, "reference")
"""Artifacts whose bytes the planner guesses from the shape; a graph grows with the layers, and others do not grow."""

VARIANTS = {
    **{f"int8-{block}": f"{{scheme: int8, granularity: {block}}}" for block in (32, 64, 128, 256)},
    **{f"int4-{block}": f"{{scheme: int4, granularity: {block}}}" for block in (32, 64, 128, 256)},
    "int4-positions": "{scheme: int4, positions: float32}",
    "float32-positions": "{scheme: int8, positions: float32}",
}
BASE = """\
extends: gpt2forge/cpu
verify: {text: examples/nano/heldout.txt, tokens: 32768, max_perplexity_increase: 100%}
"""
RECIPE = """\
name: {name}
extends: base/team.yaml
source: {{checkpoint: checkpoints/{checkpoint}}}
quantization: {{skip: [h.{number}.mlp.c_proj]}}
matrix:
"""
TEMPLATE = """\
name: template
extends: base/team.yaml
source: {checkpoint: examples/nano}
quantization: {scheme: int8}
"""
SMALL = ("--set", "verify.tokens=2048", "--set", "benchmark.rounds=3", "--set", "benchmark.new_tokens=4")


@dataclass(frozen=True)
class Team:
    """The number of checkpoints, of recipes for each, and of variants of each recipe."""

    checkpoints: int = 100
    recipes: int = 10
    variants: int = 10

    def name_checkpoint(self, number: int) -> str:
        return f"c{number:03}"

    def list_recipes(self, checkpoint: int) -> list[str]:
        return [f"{self.name_checkpoint(checkpoint)}-r{number}" for number in range(self.recipes)]


@dataclass
class Filled:
    """The steps of a team in a store: their records by key, and the shape of each checkpoint by its digest."""

    store: Store
    templates: Mapping[str, Record]
    made: dict[str, Record] = field(default_factory=dict)

    def make(self, record: Record) -> Record:
        """Return the record of a key, which is written to the store the first time."""
        if record.key not in self.made:
            self.made[record.key] = write_stand_in(self.store, record, len(self.made))
        return self.made[record.key]


def prepare_team(team: Team, work: Path) -> None:
    """Write the recipes and link the checkpoints, once."""
    if (work / "recipes").exists():
        return
    shutil.copytree(ROOT / "examples/nano", work / "examples/nano")
    (work / SETTINGS).touch()  # paths in the recipes start here, also below another project
    (work / "recipes/base").mkdir(parents=True)
    (work / "recipes/base/team.yaml").write_text(BASE, encoding="utf-8")
    (work / "recipes/template.yaml").write_text(TEMPLATE, encoding="utf-8")
    for checkpoint in range(team.checkpoints):
        link_checkpoint(work, team.name_checkpoint(checkpoint), checkpoint)
        for number, name in enumerate(team.list_recipes(checkpoint)):
            text = RECIPE.format(name=name, checkpoint=team.name_checkpoint(checkpoint), number=number)
            path = work / f"recipes/{name}.yaml"
            path.write_text(text + "".join(list_variants(team)), encoding="utf-8")


def list_variants(team: Team) -> Iterator[str]:
    """Yield a line for each variant of a recipe."""
    for name in list(VARIANTS)[: team.variants]:
        yield f"  {name}: {{quantization: {VARIANTS[name]}}}\n"


def link_checkpoint(work: Path, name: str, number: int) -> None:
    """Make a checkpoint of links to nano's files, with an hparams.json of its own."""
    folder = work / "checkpoints" / name
    folder.mkdir(parents=True)
    for path in (work / "examples/nano").glob("*"):
        if path.name in ("checkpoint", "encoder.json", "vocab.bpe") or path.name.startswith("model.ckpt"):
            os.link(path, folder / path.name)
    text = (work / "examples/nano/hparams.json").read_text(encoding="utf-8")
    (folder / "hparams.json").write_text(text.rstrip() + " " * number + "\n", encoding="utf-8")


def build_templates(work: Path) -> Store:
    """Build nano once, measured on little text, and return the store with its records."""
    store = work / "templates"
    if not store.exists():
        run_command([*BUILD, "template", *SMALL, "--name", "small", "--store", store.name], work)
    return Store(store, is_read_only=True)


def fill_team(work: Path, templates: Store, target: Path) -> Filled:
    """Fill a store with all steps of all recipes of a team, and with what it remembers of files that it took in."""
    filled = Filled(Store(target), {record.stage: record for record in list_records(templates)})
    readings = Readings(filled.store)
    with chdir(work):
        for job in make_jobs(load_recipes(["c*"])):
            plan = make_plan(job, readings, lambda done, total, unit: None)
            fill_job(job, plan, filled)
    for stage in filled.templates:
        filled.store.records.index(stage)
    for record in filled.made.values():
        filled.store.artifacts.is_whole(record.digest)
    return filled


def fill_job(job: Job, plan: Plan, filled: Filled) -> None:
    """Write the steps of one recipe that the store lacks, with the keys that they have once their inputs are made."""
    shape = find_shape(job)
    known = {kind: (digest, job.sources[kind].size) for kind, digest in plan.sources.items()}
    known["checkpoint"] = (plan.sources["checkpoint"], 4 * shape.parameters)
    for stage in job.stages:
        inputs = {kind: known[kind] for kind in stage.reads}
        pre_image = add_inputs(plan.bases[stage.name], {kind: digest for kind, (digest, _) in inputs.items()})
        read = sum(size for _, size in inputs.values())
        template = filled.templates[stage.name]
        written = measure_written(job, stage, shape, read=read, template=template)
        record = replace(template, key=make_key(pre_image), pre_image=pre_image, bytes_read=read, bytes_written=written)
        known[stage.writes] = (filled.make(record).digest, written)


def find_shape(job: Job) -> Shape:
    """Return the shape that a checkpoint stands for, which its name numbers."""
    return SHAPES[MIX[int(job.sources["checkpoint"].path.name.lstrip("c")) % len(MIX)]]


def measure_written(job: Job, stage: Stage, shape: Shape, *, read: int, template: Record) -> int:
    """Return the bytes of an artifact of a model of this shape."""
    if stage.writes in GUESSED:
        return int(stage.guess(job.find_section(stage), read))
    grows = shape.n_layer / NANO.n_layer if stage.writes == "graph" else 1
    return int(grows * (template.bytes_written or 0))
