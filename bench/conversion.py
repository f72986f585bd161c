"""Converts one checkpoint, `python -m bench.conversion FOLDER OUT`: its memory is that of the conversion alone."""

import sys
from pathlib import Path

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint


def main() -> None:
    source, out = map(Path, sys.argv[1:])
    convert_checkpoint(source, out)


if __name__ == "__main__":
    main()
