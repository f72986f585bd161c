"""Entry point. Answers an up-to-date `build` from its stamp, and a shell's tabs; hands everything else to the CLI."""

import os
import sys

from gpt2forge.stamp import TITLES, Printed, read_current
from gpt2forge.terminal_text import align, escape, escape_line


def main() -> None:
    """Run the `gpt2forge` command with the arguments of this process."""
    try:
        if sys.argv[1:2] == ["__complete"]:
            from gpt2forge.completion.answer import print_answer  # only here: no command needs it

            print_answer(sys.argv[2:])
        elif not print_current(sys.argv[1:]):
            from gpt2forge.held_interrupts import hold_interrupts

            with hold_interrupts():
                from gpt2forge.cli.program import main as run_program  # only here: importing it takes 0.2 s

            run_program()
    except KeyboardInterrupt:  # before the CLI catches it, or after it has ended
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)


def print_current(words: list[str]) -> bool:
    """Print the result of a `build` that has nothing to do; return False for any other command."""
    if words[:1] != ["build"] or any(word.startswith("-") for word in words) or sys.stdout is None:
        return False
    current = read_current(words[1:])
    if not current:
        return False
    try:
        print_results(current)
    except OSError as error:
        exit_unprinted(error)
    return True


def print_results(current: dict[str, Printed]) -> None:
    """Print what the build of these recipes printed, as data on stdout and messages on stderr."""
    rows = [printed.row for printed in current.values()]
    texts = "".join(escape(printed.text) for printed in current.values())
    print(end=texts if len(current) == 1 else align([TITLES, *rows]), flush=True)
    for name, printed in current.items():
        print(f"current {name}: nothing changed since it was built", file=sys.stderr)
        for warning in printed.warnings:
            print(f"warning: {escape_line(warning)}", file=sys.stderr)


def exit_unprinted(error: OSError) -> None:
    """Exit with status 1 because stdout is closed, which is not an error, or the disk is full, which is one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would try to flush the buffer at exit
    if not isinstance(error, BrokenPipeError):
        print(f"error: the disk: {error.strerror}; fix this and run again", file=sys.stderr)
    sys.exit(1)
