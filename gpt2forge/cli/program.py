"""The `gpt2forge` program: its commands, and the exit code that each kind of error leads to.

Exit codes: 0 success, 1 an error that the user can fix, 3 a bug in gpt2forge, 130 interrupted.
"""

import io
import os
import signal
import sys
import tempfile
import traceback
from collections import UserDict
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

import click

from gpt2forge import __version__
from gpt2forge.cli import console
from gpt2forge.cli.usage_errors import describe_usage
from gpt2forge.errors import format_fixable, is_fixable
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.remote.address import hide_password
from gpt2forge.terminal_text import escape_line

FINE, USER_ERROR, BUG, INTERRUPTED = 0, 1, 3, 130

COMMANDS = (
    *("build", "plan", "why", "diff", "check", "compare", "review", "generate", "score", "copy"),
    *("claim", "ablate", "tune", "profile"),
    *("init", "list", "clean", "doctor"),
    *("inspect", "key", "recipe", "schema", "store", "completion"),
)


class Commands(UserDict[str, click.Command]):
    """COMMANDS by name, each imported when it is used: importing all of them takes longer than most commands take."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in COMMANDS:
            raise KeyError(name)
        return load_command(name)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def load_command(name: str) -> click.Command:
    """Return the command of a name, which is in the module of that name."""
    found = vars(import_module(f"gpt2forge.cli.{name}_command")).values()
    return next(each for each in found if isinstance(each, click.Command) and each.name == name)


@click.group(
    commands=Commands(),
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
        report(escape_line(describe_usage(error, words)))
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
        code = program.main(words, prog_name="gpt2forge", standalone_mode=False)
        return code if isinstance(code, int) else FINE  # click returns the code of an Exit that a command raises
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
            text = f"gpt2forge {__version__}, python {sys.version}\n{' '.join(sys.argv)}\n\n{trace}"
            log.write(hide_password(text))
    except OSError:
        return "; ".join(line.strip() for line in trace.splitlines()[-3:])
    return f"`{path}`"
