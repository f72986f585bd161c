"""Trains a small GPT-2 from scratch on the Python standard library and saves it as OpenAI published theirs.

From the repository's folder, in an environment with the extra `train`:

    python -m examples.nano.train --out checkpoints/nano
"""

import argparse
from pathlib import Path

from examples.nano.corpus import list_sources, split
from examples.nano.tf1 import save_checkpoint
from examples.nano.training import Settings, train_model
from examples.nano.vocabulary import encode, save_tokenizer, train_tokenizer


def make_checkpoint(sources: list[Path], settings: Settings, out: Path) -> None:
    """Train on these files and write the checkpoint folder `out`."""
    training, heldout = split(sources)
    tokenizer = train_tokenizer(training, settings.vocabulary)
    model = train_model(encode(tokenizer, training), encode(tokenizer, heldout), settings)
    out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, out)
    save_checkpoint(model, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the checkpoint to")
    parser.add_argument(
        "--steps", type=int, default=Settings.steps, help="default: %(default)s, about 20 minutes on 2 cores"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed)
    options = parser.parse_args()
    make_checkpoint(list_sources(), Settings(steps=options.steps, seed=options.seed), options.out)


if __name__ == "__main__":
    main()
