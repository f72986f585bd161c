"""Where the `gpt2forge` command begins: a build that has nothing to do ends here, all else goes to the command line."""

import os
import sys

from gpt2forge.stamp import Said, recall


def main() -> None:
    try:
        if not say_current(sys.argv[1:]):
            from gpt2forge.cli.program import main as begin  # only where it is needed: it takes a fifth of a second

            begin()
    except KeyboardInterrupt:  # before the command line listens for it, or when that has ended
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)


def say_current(words: list[str]) -> bool:
    """Say what a build would say, if nothing has changed since it was made; else nothing."""
    if words[:1] != ["build"] or any(word.startswith("-") or "/" in word for word in words) or sys.stdout is None:
        return False
    said: dict[str, Said] = {}
    for name in words[1:]:
        found = recall(name)
        if found is None:
            return False
        said |= found
    if not said:
        return False
    try:
        print(end="".join(printed for _, printed in said.values()), flush=True)
        for name, (warnings, _) in said.items():
            print(f"current {name}: nothing changed since it was built", file=sys.stderr)
            for warning in warnings:
                print(f"warning: {warning}", file=sys.stderr)
    except OSError as error:
        give_up(error)
    return True


def give_up(error: OSError) -> None:
    """End where nobody listens, which is no fault, or the disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer has nowhere to go
    if not isinstance(error, BrokenPipeError):
        print(f"error: the disk: {error.strerror}; fix this and run again", file=sys.stderr)
    sys.exit(1)
