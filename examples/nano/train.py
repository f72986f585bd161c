"""Trains a small GPT-2 from scratch on the Python standard library and saves it as OpenAI published theirs.

From the repository's folder, in an environment with the extra `torch`:

    python -m examples.nano.train --out checkpoints/nano

TensorFlow, which saves it, gets an environment of its own before the training begins.
"""

import argparse
import sys
from pathlib import Path

from transformers import GPT2LMHeadModel

from examples.nano.corpus import list_sources, split
from examples.nano.tf1 import save_checkpoint
from examples.nano.training import Settings, train_model
from examples.nano.vocabulary import encode, save_tokenizer, train_tokenizer
from interop.environments import EnvironmentFault
from interop.tensorflow_process import TensorFlowFault, make_tensorflow


def make_checkpoint(sources: list[Path], settings: Settings, out: Path) -> GPT2LMHeadModel:
    """Train on these files, write the checkpoint folder `out`, and return the model."""
    training, heldout = split(sources)
    tokenizer = train_tokenizer(training, settings.vocabulary)
    model = train_model(encode(tokenizer, training), encode(tokenizer, heldout), settings)
    out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, out)
    save_checkpoint(model, out)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the checkpoint to")
    parser.add_argument(
        "--steps", type=int, default=Settings.steps, help="default: %(default)s, about 20 minutes on 2 cores"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed)
    options = parser.parse_args()
    try:
        make_tensorflow()  # fails now rather than after 20 minutes of training
        make_checkpoint(list_sources(), Settings(steps=options.steps, seed=options.seed), options.out)
    except (EnvironmentFault, TensorFlowFault) as fault:
        sys.exit(f"error: {fault}")


if __name__ == "__main__":
    main()
