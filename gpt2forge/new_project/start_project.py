"""Writes the files of a new project in the working directory: a recipe that builds, and what a project needs too."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires

from gpt2forge import __version__
from gpt2forge.new_project.checkpoint_model import Model
from gpt2forge.new_project.held_out_text import read_part
from gpt2forge.new_project.new_file import NewFile, fill, write_new
from gpt2forge.new_project.starting_recipe import name_recipe, quote_yaml, write_recipe

TEXT = "texts/held-out.txt"
SCHEMA_LINE = "# yaml-language-server: $schema=../{schema}\n"
SCHEMAS = {"recipe": "recipe.schema.json", "settings": "settings.schema.json"}


@dataclass(frozen=True, kw_only=True)
class Started:
    """What was done: the recipe's name, the files that were written, and those that were left as they are."""

    recipe: str
    written: tuple[str, ...]
    left: tuple[str, ...]


def start_project(model: Model, schemas: dict[str, dict[str, object]]) -> Started:
    """Write the files of a project for a model. `schemas` are the JSON Schemas of SCHEMAS, by the same names.

    No file is overwritten. Raises OSError if one cannot be written.
    """
    recipe = name_recipe(model.name)
    done = {file.path: write_new(file) for file in (*list_files(model, recipe), *list_schemas(schemas))}
    written, left = (tuple(path for path, is_new in done.items() if is_new == wanted) for wanted in (True, False))
    return Started(recipe=recipe, written=written, left=left)


def list_files(model: Model, recipe: str) -> Iterator[NewFile]:
    """Yield the files of a new project, the recipe first."""
    text = TEXT if model.text else None
    body = write_recipe(model.checkpoint, name=recipe, about=model.about, text=text, place=TEXT)
    yield NewFile(f"recipes/{recipe}.yaml", SCHEMA_LINE.format(schema=SCHEMAS["recipe"]) + body)
    yield NewFile("gpt2forge.yaml", fill("settings.yaml"))
    if model.text:
        yield NewFile(TEXT, read_part(model.text))
    else:
        yield NewFile("texts/README.md", fill("texts.md", text=TEXT, recipe=recipe))
    yield NewFile(".gitignore", fill("gitignore"))
    yield NewFile("Makefile", fill("Makefile", recipe=recipe))
    yield NewFile(".github/workflows/build.yml", write_workflow(model))


def write_workflow(model: Model) -> str:
    """Return the workflow for CI. A checkpoint that is an artifact is put where the recipe looks for it."""
    return fill(
        "build.yml",
        version=__version__,
        torch=find_torch(),
        checkpoint=quote_yaml(model.checkpoint),
        place=quote_yaml(model.place_inside),
    )


def list_schemas(schemas: dict[str, dict[str, object]]) -> Iterator[NewFile]:
    for name, schema in schemas.items():
        yield NewFile(SCHEMAS[name], json.dumps(schema, indent=2) + "\n")


def find_torch() -> str:
    """Return the version of PyTorch that gpt2forge[torch] asks for, as pip takes it."""
    needed: list[str] = []
    with suppress(PackageNotFoundError):  # it runs from a folder of its sources
        needed = [text.partition(";")[0].strip() for text in requires("gpt2forge") or ()]
    return next((text for text in needed if text.startswith("torch=")), "torch")
