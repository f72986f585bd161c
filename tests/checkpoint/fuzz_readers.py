"""`make fuzz`: damages checkpoints of every format at random and reads them. See tests/checkpoint/fuzzing.

    python -m tests.checkpoint.fuzz_readers --inputs 1000000 --seed 1

A run that was interrupted is continued: .fuzz/ keeps how many inputs of each reader were tried, and the inputs that
reached something new. The counts begin anew when the readers change. What failed before is tried again at the end of each turn.
The samples lie in TMPDIR; a folder in memory is faster.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.checkpoint.fuzzing.campaign import Campaign, FuzzerFault
from tests.checkpoint.fuzzing.inputs import FAILED
from tests.checkpoint.fuzzing.readers import READERS
from tests.checkpoint.fuzzing.samples import make_samples
from tests.checkpoint.fuzzing.tally import Tally, open_tally

HOME = Path(__file__).resolve().parents[2] / ".fuzz"
MOST_SHOWN = 20  # failures


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all readers together (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=READERS, help="fuzz this reader (may be repeated)")
    parser.add_argument("--home", type=Path, default=HOME, help="folder that keeps the results (default .fuzz)")
    return parser.parse_args()


def main() -> int:
    options = parse()
    readers = {name: READERS[name] for name in options.only or READERS}
    options.home.mkdir(parents=True, exist_ok=True)
    tally = open_tally(options.home / "tally.json")
    torch.set_num_threads(1)
    os.environ["RUST_BACKTRACE"] = "0"  # the backtrace of a panic in tokenizers takes 50 MB
    warnings.simplefilter("ignore")  # of numbers beyond float32, and of old pickles
    with tempfile.TemporaryDirectory() as samples:
        make_samples(Path(samples))
        wanted = -(-options.inputs // len(readers))
        try:
            Campaign(Path(samples), options.home, readers, wanted, options.seed, tally).run()
        except KeyboardInterrupt:
            print("interrupted; the same command goes on")
        except FuzzerFault as fault:
            sys.exit(f"error: {fault}")
    for line in describe(tally):
        print(line)
    failures = [path for name in readers for path in sorted((options.home / name / FAILED).glob("*.txt"))]
    for path in failures[:MOST_SHOWN]:
        print(f"\n{os.path.relpath(path)}\n{path.read_text(encoding='utf-8')}")
    print(f"{len(failures)} failures")
    return bool(failures)


def describe(tally: Tally) -> Iterator[str]:
    """Yield a line for each reader that was tried, and one for all."""
    for name, count in tally.inputs.items():
        yield f"{name}: {count} inputs in {tally.seconds[name]:.0f} s, {tally.lines[name]} lines"
    yield f"all: {sum(tally.inputs.values())} inputs in {sum(tally.seconds.values()):.0f} s"


if __name__ == "__main__":
    sys.exit(main())
