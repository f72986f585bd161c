"""Run the fast tests on each supported Python, then with the lowest versions that pyproject.toml allows.

python -m tests.pythons                             each supported Python that this machine has, then `lowest`
python -m tests.pythons python3.13 lowest           only these; a path to an interpreter is a name too
python -m tests.pythons --without-torch python3.14  PyTorch is not installed, and tests that need it are skipped

Each run has its own environment under `.interop/`, which is made again when a version in it changes.
"""

import argparse
import sys
from collections.abc import Sequence

from tests.pythons.interpreters import find_interpreter
from tests.pythons.project import list_supported
from tests.pythons.trial import LOWEST, plan_trial, run_trial


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line names; return 1 if anything failed, was named but is missing, or nothing ran."""
    asked = parse(words)
    names = asked.names or [*(f"python{version}" for version in list_supported()), LOWEST]
    results = [try_name(name, not asked.without_torch) for name in names]
    enough = None not in results if asked.names else any(results)
    return 0 if enough and False not in results else 1


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.pythons", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"names or paths of interpreters, or `{LOWEST}`")
    parser.add_argument("--without-torch", action="store_true", help="do not install PyTorch; skip what needs it")
    return parser.parse_args(words)


def try_name(name: str, has_torch: bool) -> bool | None:
    """Print a line with the result, and return it; None if this machine does not have that Python."""
    program = f"python{list_supported()[0]}" if name == LOWEST else name
    interpreter = find_interpreter(program)
    if interpreter is None:
        print(f"{name}: not tried, `{program}` is neither on PATH nor among pyenv's versions", flush=True)
        return None
    trial = plan_trial(name, interpreter, has_torch)
    result = run_trial(trial)
    print(f"{trial.label}: {result.summary}", flush=True)
    return result.passed


if __name__ == "__main__":
    sys.exit(main())
