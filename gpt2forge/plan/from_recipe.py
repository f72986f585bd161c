"""Makes the job of a recipe."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.adapter.read_adapter import list_adapter_files
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.other_tokenizer import find_tokenizer_place, list_tokenizer_files
from gpt2forge.errors import Fault, RecipeError, UserError, quote, suggest_close
from gpt2forge.fetch.address import parse_address
from gpt2forge.fetch.fetched import find_fetched
from gpt2forge.plan.draft_vocabulary import check_draft
from gpt2forge.plan.equivalents import check_assumed
from gpt2forge.plan.explain_missing import explain_missing
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.recipe.draft_recipe import load_draft
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.recipe.sections.source_section import SourceSection
from gpt2forge.recipe.suggest_path import suggest_path
from gpt2forge.stages.all_stages import MEASURING, STAGES
from gpt2forge.stages.read_texts import count_bytes, read_text
from gpt2forge.stages.stage import PACKAGE, Stage, read_no_more

TEXTS = {"calibration_text": "calibration", "text": "verify"}
"""The sections that name a text file, by the kind that stages read it as."""


@dataclass(frozen=True)
class Found:
    """Holds what recipes of one command have named: checkpoints by project and section, texts by path and tokens."""

    checkpoints: dict[tuple[Path, SourceSection], Source] = field(default_factory=dict)
    texts: dict[tuple[Path, int], Source] = field(default_factory=dict)


def make_jobs(loaded: Iterable[LoadedRecipe], skip: Sequence[str] = (), assumed: Sequence[str] = ()) -> list[Job]:
    """Make jobs together, as `make_job` does; what several recipes name is looked at once."""
    found = Found()
    return [make_job(each, skip, assumed, found) for each in loaded]


def make_job(
    loaded: LoadedRecipe, skip: Sequence[str] = (), assumed: Sequence[str] = (), found: Found | None = None
) -> Job:
    """Make the job of the stages whose section the recipe has, without those in `skip`; `found` is added to.

    Raises RecipeError, with the place in the recipe, if a file is missing or a draft cannot guess the model's tokens;
    UserError if a stage cannot be skipped.
    """
    recipe = loaded.recipe
    sections = {stage.section: getattr(recipe, stage.section) for stage in STAGES if stage.section}
    asked = drop_unread(list(select_stages(sections)))
    kept = drop_skipped(asked, skip)
    check_assumed(kept, assumed)
    found = found or Found()
    draft = load_draft(loaded)
    named = loaded.project, recipe.source
    if named not in found.checkpoints:
        found.checkpoints[named] = find_source(loaded)
    sources = {"checkpoint": found.checkpoints[named]}
    if any("tokenizer" in stage.reads for stage in kept):
        sources["tokenizer"] = find_tokenizer(loaded)
    if recipe.source.adapter is not None:
        sources["adapter"] = find_adapter(loaded, loaded.project / recipe.source.adapter)
    for kind, section in TEXTS.items():
        if any(kind in stage.reads for stage in kept):
            sources[kind] = find_text(loaded, section, sections[section], found)
    job = Job(
        name=recipe.name,
        stages=tuple(kept),
        sections=sections,
        target=recipe.target,
        sources=sources,
        skipped=tuple(stage for stage in asked if stage not in kept),
        assumed=tuple(assumed),
        draft=make_job(draft, found=found) if draft else None,
    )
    if draft and job.draft:
        check_draft(loaded, job.sources, draft, job.draft.sources)
    return job


def select_stages(sections: Mapping[str, Any]) -> Iterator[Stage]:
    """Yield the stages that have their section or need none, each with every kind that it reads."""
    for stage in STAGES:
        section = sections[stage.section] if stage.section else None
        if section is not None or stage.section is None:
            yield stage if stage.also_reads is read_no_more else stage.for_section(section)


def drop_unread(stages: Sequence[Stage]) -> list[Stage]:
    """Drop the stages whose artifact no other stage reads, except those that make or measure the package."""
    kept: list[Stage] = []
    for stage in reversed(stages):
        if stage.optional or stage.writes == PACKAGE or any(stage.writes in later.reads for later in kept):
            kept.insert(0, stage)
    return kept


def drop_skipped(stages: Sequence[Stage], skip: Sequence[str]) -> list[Stage]:
    """Drop the stages named in `skip`, and the measuring stages that only they read.

    Raises UserError for a stage that makes the result, or that a remaining stage needs.
    """
    for name in skip:
        if name not in MEASURING:
            raise UserError(f"`--skip {name}`: only {quote(MEASURING)} can be skipped{suggest_close(name, MEASURING)}")
    kept: list[Stage] = []
    for stage in reversed(stages):
        readers = [later for later in stages if stage.writes in later.reads]
        is_wanted = not readers or any(reader in kept for reader in readers)
        if not stage.optional or (stage.name not in skip and is_wanted):
            kept.insert(0, stage)
    unmade = {stage.writes for stage in stages} - {stage.writes for stage in kept}
    for stage in kept:
        for kind in unmade & set(stage.reads):
            raise UserError(f"`--skip {kind}`: `{stage.name}` needs it; skip `{stage.name}`, which skips both")
    return kept


def find_source(loaded: LoadedRecipe) -> Source:
    source = loaded.recipe.source
    try:
        address = parse_address(source.checkpoint)
        path = find_fetched(address).folder if address else loaded.project / source.checkpoint
        found = find_checkpoint(path, wanted=source.wanted)
        list_files = CheckpointFiles(source.wanted)
        if not path.is_dir() and list_files(found.folder) != found.files:
            raise UserError(f"{found.folder}: holds several saves; name the path `{path}.index`")
    except UserError as error:
        fault = explain_missing(error, source.checkpoint, loaded.project)
        raise RecipeError([Fault(loaded.place("source", "checkpoint"), fault)]) from error
    return Source(found.folder, list_files, found.through, found.notes)


def find_tokenizer(loaded: LoadedRecipe) -> Source:
    """Return the folder or file that `source.tokenizer` names. Raises RecipeError if no tokenizer is there."""
    path = find_tokenizer_place(loaded.project / str(loaded.recipe.source.tokenizer))
    if path.is_file():
        return Source(path)
    try:
        list_tokenizer_files(path)
    except UserError as error:
        raise RecipeError([Fault(loaded.place("source", "tokenizer"), str(error))]) from error
    return Source(path, list_tokenizer_files)


def find_adapter(loaded: LoadedRecipe, folder: Path) -> Source:
    try:
        list_adapter_files(folder)
    except UserError as error:
        raise RecipeError([Fault(loaded.place("source", "adapter"), str(error))]) from error
    return Source(folder, list_adapter_files)


def find_text(loaded: LoadedRecipe, section: str, values: Any, found: Found) -> Source:
    """Return the file that `text` of a section names. Raises RecipeError if it is not a readable text file."""
    text, tokens = values.text, values.tokens
    path, place = loaded.project / text, loaded.place(section, "text")
    if known := found.texts.get((path, tokens)):
        return known
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        start = f"the project, `{loaded.project.absolute()}`"
        fix = suggest_path(text, loaded.project) or f"; name a file, by its path from {start}"
        fault = f"`{section}.text: {text}`: {what}{fix}"
        raise RecipeError([Fault(place, fault)])
    try:
        read_text(path, tokens)
    except UserError as error:
        raise RecipeError([Fault(place, str(error))]) from error
    source = found.texts[path, tokens] = Source(path, most=count_bytes(tokens))
    return source


@dataclass(frozen=True)
class CheckpointFiles:
    """Lists the files of a checkpoint that convert reads; equal for equal choices, so that plans share a source."""

    wanted: Wanted

    def __call__(self, folder: Path) -> tuple[str, ...]:
        return find_checkpoint(folder, wanted=self.wanted).files
