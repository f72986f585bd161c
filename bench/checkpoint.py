"""A synthetic checkpoint made from a seed, written by TensorFlow in the layout that OpenAI published.

A program of its own in TensorFlow's environment, so that its memory ends with it: `python -m bench.checkpoint OUT
--tokenizer DIR`. bench/prepare.py runs it.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tensorflow as tf

from bench.shapes import LARGE, Shape

TOKENIZER = ("encoder.json", "vocab.bpe")  # its files


def choose_spread(name: str) -> tuple[float, float]:
    """Return mean and standard deviation of a tensor: weights as GPT-2 starts, gains about 1, biases small."""
    if name.endswith("/g"):
        return 1.0, 0.05
    if name.endswith(("/b", "/wpe")):
        return 0.0, 0.01
    return 0.0, 0.02


def make_variables(shape: Shape, seed: int) -> list[Any]:
    """Return a TF1 variable for each tensor; its values depend on the seed and on its place alone."""
    variables = []
    for index, (name, lengths) in enumerate(shape.tensors.items()):
        mean, deviation = choose_spread(name)
        values = tf.random.stateless_normal(lengths, [seed, index], mean, deviation)
        variables.append(tf.compat.v1.get_variable(name, initializer=values, use_resource=False))
    return variables


def save_variables(folder: Path, shape: Shape, seed: int) -> None:
    """Write checkpoint, model.ckpt.index, .data and .meta; holds the model in memory once."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = make_variables(shape, seed)
        for variable in variables:
            session.run(variable.initializer)
        saver = tf.compat.v1.train.Saver(variables)
        saver.save(session, str(folder / "model.ckpt"), write_meta_graph=False)
    pointer = 'model_checkpoint_path: "model.ckpt"\nall_model_checkpoint_paths: "model.ckpt"\n'
    (folder / "checkpoint").write_text(pointer, encoding="utf-8")


def make_checkpoint(out: Path, shape: Shape, seed: int, tokenizer: Path) -> None:
    """Write the whole checkpoint folder aside and move it into place; `tokenizer` holds encoder.json and vocab.bpe."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".checkpoint-") as scratch:
        folder = Path(scratch) / "checkpoint"
        folder.mkdir()
        save_variables(folder, shape, seed)
        (folder / "hparams.json").write_text(json.dumps(asdict(shape)), encoding="utf-8")
        for name in TOKENIZER:
            shutil.copyfile(tokenizer / name, folder / name)
        folder.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--seed", type=int, default=774)
    parser.add_argument("--shape", type=json.loads, default=asdict(LARGE), help="hparams.json as text")
    options = parser.parse_args()
    make_checkpoint(options.out, Shape(**options.shape), options.seed, options.tokenizer)


if __name__ == "__main__":
    main()
