"""Trains a small GPT-2 from scratch on the Python standard library and saves it as OpenAI published theirs.

From the repository's folder, in an environment with the extra `torch`:

    python -m examples.nano.train --out checkpoints/nano

Options change the shape of the model and how long it is trained. TensorFlow, which saves it, gets an environment of its
own before the training begins. This trains a draft for nano, with nano's tokens, and saves it without TensorFlow:

    python -m examples.nano.train --out checkpoints/nano-draft --tokens-of examples/nano --half --width 32 --heads 1 \
        --layers 1 --batch 12 --steps 1000
"""

import argparse
import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

from examples.nano.corpus import list_sources, split
from examples.nano.tf1 import save_checkpoint
from examples.nano.training import Settings, train_model
from examples.nano.vocabulary import encode, read_tokenizer, save_tokenizer, train_tokenizer
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


@dataclass(frozen=True)
class Choices:
    """The folder to write to, the model whose tokens are taken (None: they are learnt), and how it is saved."""

    out: Path
    tokens_of: Path | None = None
    half: bool = False


def make_checkpoint(sources: list[Path], settings: Settings, choices: Choices) -> GPT2LMHeadModel:
    """Train on these files, write the checkpoint, and return the model."""
    training, heldout = split(sources)
    other, out = choices.tokens_of, choices.out
    tokenizer = read_tokenizer(other) if other else train_tokenizer(training, settings.vocabulary)
    model = train_model(encode(tokenizer, training), encode(tokenizer, heldout), settings)
    out.mkdir(parents=True, exist_ok=True)
    if choices.half:
        save_half(model, tokenizer, out)
    else:
        save_tokenizer(tokenizer, out)
        save_checkpoint(model, out)
    return model


def save_half(model: GPT2LMHeadModel, tokenizer: Tokenizer, out: Path) -> None:
    """Write a Hugging Face directory with weights in float16."""
    tokenizer.model.save(str(out))
    deepcopy(model).half().save_pretrained(out)


def read_options(words: Sequence[str] | None = None) -> tuple[Choices, Settings]:
    """Return what to write, and how to train, as the words of the command say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the checkpoint to")
    for name, meaning in OPTIONS.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name), help=f"{meaning}: %(default)s")
    parser.add_argument("--tokens-of", type=Path, help="take the tokens of the checkpoint in this folder; learn none")
    parser.add_argument("--half", action="store_true", help="write a Hugging Face directory in float16")
    options = vars(parser.parse_args(words))
    choices = Choices(*(options.pop(name) for name in ("out", "tokens_of", "half")))
    return choices, Settings(**options)


def main() -> None:
    choices, settings = read_options()
    try:
        if not choices.half:
            make_tensorflow()  # fails now rather than after 20 minutes of training
        make_checkpoint(list_sources(), settings, choices)
    except (EnvironmentFault, TensorFlowFault) as fault:
        sys.exit(f"error: {fault}")


if __name__ == "__main__":
    main()
