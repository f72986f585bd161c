"""The `gpt2forge` program: its commands, and the exit code that each kind of error leads to.

Exit codes: 0 success, 1 an error that the user can fix, 3 a bug in gpt2forge, 130 interrupted.
"""

import io
import os
import signal
import sys
import tempfile
import traceback
from contextlib import suppress

import click

from gpt2forge import __version__
from gpt2forge.cli import console
from gpt2forge.cli.build_command import build
from gpt2forge.cli.check_command import check
from gpt2forge.cli.compare_command import compare
from gpt2forge.cli.copy_command import copy
from gpt2forge.cli.diff_command import diff
from gpt2forge.cli.generate_command import generate
from gpt2forge.cli.inspect_command import inspect
from gpt2forge.cli.key_command import key
from gpt2forge.cli.plan_command import plan
from gpt2forge.cli.recipe_command import recipe
from gpt2forge.cli.schema_command import schema
from gpt2forge.cli.store_command import store
from gpt2forge.cli.why_command import why
from gpt2forge.errors import format_fixable, is_fixable
from gpt2forge.executor.worker_process import StageCrash
from gpt2forge.terminal_text import escape_line

FINE, USER_ERROR, BUG, INTERRUPTED = 0, 1, 3, 130

COMMANDS: tuple[click.Command, ...] = (
    *(build, plan, why, diff, check, compare, generate, copy),
    *(inspect, key, recipe, schema, store),
)


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True},
)
@click.version_option(__version__, message="gpt2forge %(version)s")
def program() -> None:
    """Turn a fine-tuned GPT-2 into a small, fast ONNX directory. RECIPE is a name under recipes/,
    NAME@VARIANT, a pattern of names, or a path."""


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character gets `?`, not an error
    for number in (signal.SIGTERM, signal.SIGHUP):  # a job that CI cancels, or a terminal that is closed
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(number, signal.default_int_handler)  # it ends as Ctrl-C ends it
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command line and return its exit code; every error becomes one message."""
    try:
        return run_command(words)
    except click.ClickException as error:
        report(escape_line(error.format_message()))
    except (KeyboardInterrupt, click.Abort):
        report("interrupted; finished steps are kept")
        return INTERRUPTED
    except StageCrash as error:
        report(f"{error}: please report it")
        return BUG
    except Exception as error:
        if not is_fixable(error):
            report(f"a bug in gpt2forge; please report it with {write_log()}")
            return BUG
        report(format_fixable(error))
    return USER_ERROR


def run_command(words: list[str]) -> int:
    """Run one command line and return its exit code. Raises whatever ended it."""
    try:
        program.main(words, prog_name="gpt2forge", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        console.write(error.format_message() + "\n")
    return FINE


def report(message: str) -> None:
    """Write an error to stderr, if anything can be written there."""
    with suppress(OSError):
        console.report_error(message)


def write_log() -> str:
    """Write the traceback to a file, whatever characters it holds, and return the file's path.

    If no file can be written, return where the error arose.
    """
    trace = traceback.format_exc()
    try:
        descriptor, path = tempfile.mkstemp(prefix="gpt2forge-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"gpt2forge {__version__}, python {sys.version}\n{' '.join(sys.argv)}\n\n{trace}")
    except OSError:
        return "; ".join(line.strip() for line in trace.splitlines()[-3:])
    return f"`{path}`"
