"""A synthetic TensorFlow 2 checkpoint made from a seed: objects with the attributes of transformers' TFGPT2LMHeadModel.

A program of its own in TensorFlow's environment, so that its memory ends with it: `python -m bench.object_checkpoint
FOLDER --shape JSON`. bench/write_formats.py runs it.
"""

import argparse
import json
from pathlib import Path

import tensorflow as tf

from bench.shapes import Shape

SEED = 774
DEVIATION = 0.02


def name_attributes(openai: str) -> list[str]:
    """Return the attributes that lead from the model to the variable that OpenAI gives this name."""
    parts = openai.replace("model/h", "model/h/").split("/")[1:]
    if parts[-1] in ("wte", "wpe"):
        return ["transformer", *parts, "weight"]
    ends = {"g": "gamma", "b": "beta"} if "ln_" in parts[-2] else {"w": "weight", "b": "bias"}
    return ["transformer", *parts[:-1], ends[parts[-1]]]


def make_lengths(openai: str, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a variable there: a matrix [in, out], a linear layer's bias [1, out]."""
    is_row = len(lengths) == 1 and openai.split("/")[-2].startswith("c_")
    return (1, *lengths) if is_row else lengths[-2:]


def make_model(shape: Shape) -> tf.Module:
    """Return objects with a variable for each tensor."""
    model = tf.Module()
    for place, (name, lengths) in enumerate(shape.tensors.items()):
        *path, last = name_attributes(name)
        node = model
        for attribute in path:
            if not hasattr(node, attribute):
                setattr(node, attribute, tf.Module())
            node = getattr(node, attribute)
        values = tf.random.stateless_normal(make_lengths(name, lengths), [SEED, place], 0.0, DEVIATION)
        setattr(node, last, tf.Variable(values))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", type=json.loads, required=True, help="hparams.json as text")
    options = parser.parse_args()
    model = make_model(Shape(**options.shape))
    tf.train.Checkpoint(transformer=model.transformer).write(str(options.folder / "tf_model"))


if __name__ == "__main__":
    main()
