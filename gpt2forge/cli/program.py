"""The command line: words in, exit code out. The only module that knows click.

Exit codes: 0 fine, 1 the user can fix it, 3 a bug in gpt2forge, 130 interrupted.
"""

import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gpt2forge import __version__
from gpt2forge.cli import build_command as build
from gpt2forge.cli import check_command as check
from gpt2forge.cli import compare_command as compare
from gpt2forge.cli import console
from gpt2forge.cli import copy_command as copy
from gpt2forge.cli import diff_command as diff
from gpt2forge.cli import generate_command as generate
from gpt2forge.cli import inspect_command as inspect
from gpt2forge.cli import plan_command as plan
from gpt2forge.cli import recipe_command as show
from gpt2forge.cli import schema_command as schema
from gpt2forge.cli import store_command as stores
from gpt2forge.cli import why_command as why
from gpt2forge.errors import UserError, format_os_error, is_fixable
from gpt2forge.executor.worker_process import StageCrash

Command = TypeVar("Command", bound=Callable[..., Any])
FINE, USER_ERROR, BUG, INTERRUPTED = 0, 1, 3, 130


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character gets `?`, not an error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that CI cancels ends as Ctrl-C ends it
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Carry out one command line; every error becomes one line and an exit code."""
    try:
        program.main(words, prog_name="gpt2forge", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        console.write(error.format_message() + "\n")
        return FINE
    except click.ClickException as error:
        console.say_error(error.format_message())
        return USER_ERROR
    except UserError as error:
        console.say_error(str(error))
        return USER_ERROR
    except (KeyboardInterrupt, click.Abort):
        console.say_error("interrupted; what is finished is kept")
        return INTERRUPTED
    except StageCrash as error:
        console.say_error(f"{error}: please report it")
        return BUG
    except Exception as error:
        if isinstance(error, OSError) and is_fixable(error):
            console.say_error(format_os_error(error))
            return USER_ERROR
        console.say_error(f"a bug in gpt2forge; please report it with `{write_log()}`")
        return BUG
    return FINE


def write_log() -> str:
    """Keep the traceback, whatever characters it holds; gives the path."""
    handle, path = tempfile.mkstemp(prefix="gpt2forge-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"gpt2forge {__version__}, python {sys.version}\n{' '.join(sys.argv)}\n\n{traceback.format_exc()}")
    return path


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=build.STORE,
    show_default=True,
    help="Where artifacts are kept.",
)


def changing_options(command: Command) -> Command:
    """The options of a command that reads a recipe."""
    for option in (
        click.option("--name", metavar="NAME", help="What to publish a changed recipe as."),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change a value, as in `--set quantization.granularity=32`; `~KEY` deletes it.",
        ),
    ):
        command = option(command)
    return command


def reading_options(command: Command) -> Command:
    """The options of a command that reads a recipe and a store."""
    return changing_options(store_option(command))


skip_option = click.option(
    "--skip", metavar="STAGES", multiple=True, help="Leave these steps out, as in `--skip verify,benchmark`."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Data on stdout as JSON.")


assume_option = click.option(
    "--assume-equivalent",
    "assumed",
    metavar="TOOL",
    multiple=True,
    help="Keep what another version of TOOL made; forge.json says so.",
)


def split_names(texts: tuple[str, ...]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="gpt2forge %(version)s")
def program() -> None:
    """Turn a fine-tuned GPT-2 into a small, fast ONNX directory. RECIPE is a name under recipes/,
    NAME@VARIANT, a pattern of names, or a path."""


@program.command("build")
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@reading_options
@click.option("--rerun", metavar="STAGE", help="Make this step again even if it is there.")
@click.option("--until", metavar="STAGE", help="Stop after this step; publish nothing.")
@skip_option
@click.option("--locked", is_flag=True, help="Fail where a step comes to anything else than the recipe's lock says.")
@click.option("--keep-going", is_flag=True, help="Go on with the other recipes where one fails.")
@assume_option
@click.option("--jobs", type=click.IntRange(1), help="How many steps run at once; one a processor if not given.")
@click.option("--write-lock", "relock", is_flag=True, help="Write what each step came to, recipes/NAME.lock.")
@json_option
def build_command(
    recipes: tuple[str, ...],
    store: Path,
    changes: tuple[str, ...],
    name: str | None,
    rerun: str | None,
    until: str | None,
    skip: tuple[str, ...],
    locked: bool,
    relock: bool,
    keep_going: bool,
    jobs: int | None,
    assumed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Build recipes into build/NAME; only the steps whose part of the recipe changed run."""
    names = split_names(skip)
    request = build.Request(
        recipes, store, as_json, changes, name, rerun, until, names, locked, relock, keep_going, jobs, assumed
    )
    build.build(request)


@program.command("plan")
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@reading_options
@skip_option
@assume_option
@json_option
def plan_command(
    recipes: tuple[str, ...],
    store: Path,
    changes: tuple[str, ...],
    name: str | None,
    skip: tuple[str, ...],
    assumed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a build would do, and why."""
    plan.plan(recipes, store, as_json, changes, name, split_names(skip), assumed)


@program.command("why")
@click.argument("recipe")
@click.argument("stage", required=False)
@reading_options
@skip_option
@json_option
def why_command(
    recipe: str,
    stage: str | None,
    store: Path,
    changes: tuple[str, ...],
    name: str | None,
    skip: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say of each step, or of STAGE, what differs from the nearest earlier one, and where that was said."""
    why.why(recipe, stage, store, as_json, changes, name, split_names(skip))


@program.command("diff")
@click.argument("recipe")
@click.argument("other")
@store_option
@skip_option
@json_option
def diff_command(recipe: str, other: str, store: Path, skip: tuple[str, ...], as_json: bool) -> None:
    """Say in which keys two recipes differ, and which steps they share."""
    diff.diff((recipe, other), store, as_json, split_names(skip))


@program.command("check")
@click.argument("recipe")
@changing_options
@json_option
def check_command(recipe: str, changes: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Build twice from nothing, and say of each step whether the same came out, to the byte."""
    check.check(recipe, as_json, changes, name)


@program.group("recipe")
def recipe_group() -> None:
    """Look at a recipe."""


@recipe_group.command("show")
@click.argument("recipe")
@changing_options
@click.option("--origin", "with_origin", is_flag=True, help="Say behind each value where it was said.")
@json_option
def show_command(recipe: str, changes: tuple[str, ...], name: str | None, with_origin: bool, as_json: bool) -> None:
    """Write the whole recipe: parents merged, defaults filled in."""
    show.show(recipe, with_origin, as_json, changes, name)


@program.command("compare")
@click.argument("results", metavar="RECIPE...", nargs=-1, required=True)
@store_option
@skip_option
@click.option("--markdown", "as_markdown", is_flag=True, help="A table for a README.")
@json_option
def compare_command(
    results: tuple[str, ...], store: Path, skip: tuple[str, ...], as_markdown: bool, as_json: bool
) -> None:
    """Put results side by side, the first as the baseline; what is missing is built. Also takes saved reports."""
    compare.compare(results, store, split_names(skip), as_json, as_markdown)


@program.command("generate")
@click.argument("recipe")
@click.option("-p", "--prompt", required=True, metavar="TEXT", help="What to go on from; `-` reads standard input.")
@click.option("-n", "--max-tokens", type=click.IntRange(1), help="How many tokens at most; 128 if there is room.")
@click.option("-t", "--temperature", type=click.FloatRange(0), default=0.0, help="0, the default: the likeliest token.")
@click.option("--top-k", type=click.IntRange(0), default=0, help="Draw from the K likeliest.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Draw from the share P.")
@click.option("--seed", type=click.IntRange(0), default=0, help="The same seed draws the same text.")
@click.option("--threads", type=click.IntRange(0), default=0, help="How many; 0, the default: one a core.")
@json_option
def generate_command(
    recipe: str,
    prompt: str,
    max_tokens: int | None,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    threads: int,
    as_json: bool,
) -> None:
    """Write text with a built recipe, as it comes."""
    from gpt2forge.runtime.sampling import Sampling

    sampling = Sampling(temperature, top_k, top_p, seed)
    generate.generate(recipe, prompt, max_tokens, sampling, threads, as_json)


@program.command("copy")
@click.argument("recipe")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def copy_command(recipe: str, folder: Path, as_json: bool) -> None:
    """Copy a built recipe to FOLDER as ordinary files, to ship."""
    copy.copy(recipe, folder, as_json)


@program.command("inspect")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def inspect_command(folder: Path, as_json: bool) -> None:
    """Say what a checkpoint is, or how a result's weights are stored, without loading them."""
    inspect.inspect(folder, as_json)


@program.command("schema")
@click.option("--settings", "of_settings", is_flag=True, help="Of gpt2forge.yaml instead.")
@click.option("--report", "of_report", is_flag=True, help="Of build/NAME.json instead.")
@json_option
def schema_command(of_settings: bool, of_report: bool, as_json: bool) -> None:
    """Write the JSON Schema of a recipe, for editors."""
    schema.schema(as_json, of_settings, of_report)


@program.group("store")
def store_group() -> None:
    """Look after the store."""


@store_group.command("ls")
@store_option
@json_option
def list_command(store: Path, as_json: bool) -> None:
    """List what lies there: how big, whose, and what it takes to make again."""
    stores.list_store(store, as_json)


@store_group.command("verify")
@click.option("--repair", is_flag=True, help="Put aside what is damaged: the next build makes it anew.")
@store_option
@json_option
def verify_command(repair: bool, store: Path, as_json: bool) -> None:
    """Read every byte, and say what is not what it was."""
    stores.verify_store(store, repair, as_json)


@store_group.command("gc")
@click.option(
    "--max-size", "most", metavar="SIZE", help="How much may be left, as in `20GB`; else what gpt2forge.yaml says."
)
@click.option("--keep-recipes", is_flag=True, help="Keep every step of each output's last build, not its result alone.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would go, and remove nothing.")
@store_option
@json_option
def collect_command(most: str | None, keep_recipes: bool, dry: bool, store: Path, as_json: bool) -> None:
    """Throw away leftovers and, beyond SIZE, what is cheapest to make again for its size."""
    stores.collect_store(store, most, keep_recipes, dry, as_json)
