"""`gpt2forge init`: starts a project for a checkpoint in the working directory."""

from importlib.util import find_spec

import click

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.cli.schema_command import make_recipe_schema, make_settings_schema
from gpt2forge.new_project.checkpoint_model import inspect_model
from gpt2forge.new_project.start_project import Started, start_project

UNMEASURED = "--skip verify,benchmark"


@click.command("init")
@click.argument("checkpoint", metavar="CHECKPOINT")
@json_option
def init(checkpoint: str, as_json: bool) -> None:
    """Start a project here for a checkpoint: a path, or an address such as `hf://owner/name`.

    Writes a recipe that builds, settings, .gitignore, Makefile, a held-out text if one is found, and a workflow for CI.
    Overwrites nothing.
    """
    model = inspect_model(checkpoint)
    started = start_project(model, {"recipe": make_recipe_schema(), "settings": make_settings_schema()})
    following = f"gpt2forge build {started.recipe}"
    if as_json:
        console.write_json({"recipe": started.recipe, "written": started.written, "left": started.left})
        return
    console.write(f"{model.about}\n")
    console.write("".join(f"  {state:<8} {path}\n" for state, path in list_states(started)))
    if not model.is_inside:
        fix = "before CI can build, copy it into the project, or use an address"
        console.inform(f"{quote_untrusted(model.checkpoint)} is outside this folder: {fix}")
    if find_spec("torch") is None:
        following += f" {UNMEASURED}"
        console.inform("without PyTorch nothing is measured: `pip install 'gpt2forge[torch]'` installs it")
    console.write(f"next: {following}\n")


def list_states(started: Started) -> list[tuple[str, str]]:
    """List each file after what was done with it."""
    left = [("exists", f"{path} (left as it is)") for path in started.left]
    return [("wrote", path) for path in started.written] + left
