"""Trains a small GPT-2 from scratch on the Python standard library and saves it as OpenAI published theirs.

From the repository's folder, in an environment with the extra `torch`:

    python -m examples.nano.train --out checkpoints/nano

Options change the shape of the model and how long it is trained. TensorFlow, which saves it, gets an environment of its
own before the training begins.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import GPT2LMHeadModel

from examples.nano.corpus import list_sources, split
from examples.nano.tf1 import save_checkpoint
from examples.nano.training import Settings, train_model
from examples.nano.vocabulary import encode, save_tokenizer, train_tokenizer
from interop.environments import EnvironmentFault
from interop.tensorflow_process import TensorFlowFault, make_tensorflow

OPTIONS = {
    "vocabulary": "tokens of the vocabulary, which is learnt too",
    "context": "tokens of a window",
    "width": "width of the model",
    "heads": "heads of attention, which divide the width",
    "layers": "layers",
    "batch": "windows a step",
    "steps": "steps, which take about 20 minutes on 2 cores",
    "seed": "seed of the first weights and of the order of the windows",
}


def make_checkpoint(sources: list[Path], settings: Settings, out: Path) -> GPT2LMHeadModel:
    """Train on these files, write the checkpoint folder `out`, and return the model."""
    training, heldout = split(sources)
    tokenizer = train_tokenizer(training, settings.vocabulary)
    model = train_model(encode(tokenizer, training), encode(tokenizer, heldout), settings)
    out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, out)
    save_checkpoint(model, out)
    return model


def read_options(words: Sequence[str] | None = None) -> tuple[Path, Settings]:
    """Return the folder to write to, and how to train, as the words of the command say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the checkpoint to")
    for name, meaning in OPTIONS.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name), help=f"{meaning}: %(default)s")
    options = vars(parser.parse_args(words))
    return options.pop("out"), Settings(**options)


def main() -> None:
    out, settings = read_options()
    try:
        make_tensorflow()  # fails now rather than after 20 minutes of training
        make_checkpoint(list_sources(), settings, out)
    except (EnvironmentFault, TensorFlowFault) as fault:
        sys.exit(f"error: {fault}")


if __name__ == "__main__":
    main()
