"""Lets TensorFlow write each case's checkpoint into the folder of its name, whose hparams.json holds its shape.

    python -m tests.checkpoint.tensorflow_cases FOLDER CASE...

tests/checkpoint/tensorflow_writer.py runs this program in TensorFlow's environment.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.checkpoint.tiny import Shape, list_openai_shapes, make_values


def make_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Make the values of every tensor, by OpenAI's names."""
    shape = Shape(**json.loads((folder / "hparams.json").read_text()))
    return {name: make_values(name, lengths) for name, lengths in list_openai_shapes(shape).items()}


def save(folder: Path, name: str, extra: Callable[[list[tf.Variable]], None], **saver: Any) -> None:
    """Save a model through tf.compat.v1's Saver, as OpenAI and gpt-2-simple do."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(tensor, initializer=values, use_resource=False)
            for tensor, values in make_tensors(folder).items()
        ]
        extra(variables)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / name), write_meta_graph=False, **saver)


def add_nothing(variables: list[tf.Variable]) -> None:
    return


def add_optimizer(variables: list[tf.Variable]) -> None:
    """Add the variables that fine-tuning leaves: Adam's slots, its powers, and a counter."""
    step = tf.compat.v1.train.get_or_create_global_step()
    loss = tf.add_n([tf.reduce_sum(variable) for variable in variables])
    tf.compat.v1.train.AdamOptimizer().minimize(loss, global_step=step)


def save_published(folder: Path) -> None:
    """Save weights alone, with a pointer to another machine's folder."""
    save(folder, "model.ckpt", add_nothing)
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/someone/gpt-2/models/tiny/model.ckpt"\n')


def save_fine_tuned(folder: Path) -> None:
    save(folder, "model", add_optimizer, global_step=1000)


def save_large(folder: Path) -> None:
    save(folder, "model.ckpt", add_nothing)


def save_mixed(folder: Path) -> None:
    """Save three shards: float32, float16 and bfloat16."""
    parts: list[list[tuple[str, tf.Tensor]]] = [[], [], []]
    for number, (name, values) in enumerate(make_tensors(folder).items()):
        dtype = (tf.float32, tf.float16, tf.bfloat16)[number % 3]
        parts[number % 3].append((name, tf.cast(tf.constant(values), dtype)))
    prefixes = [str(folder / f"part-{number}") for number in range(3)]
    for prefix, tensors in zip(prefixes, parts, strict=True):
        names, values = zip(*tensors, strict=True)
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    merge = tf.raw_ops.MergeV2Checkpoints
    merge(checkpoint_prefixes=prefixes, destination_prefix=str(folder / "model.ckpt"), delete_old_dirs=False)
    (folder / "checkpoint").write_text('model_checkpoint_path: "C:\\\\Users\\\\someone\\\\gpt2\\\\model.ckpt"\n')


def save_partitioned(folder: Path) -> None:
    """Save one tensor in two partitions."""
    values = make_tensors(folder)
    wte = values.pop("model/wte")
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=[*values, "model/wte", "model/wte"],
        shape_and_slices=[""] * len(values) + ["260 8 0,130:0,8", "260 8 130,130:0,8"],
        tensors=[*values.values(), wte[:130], wte[130:]],
    )


def save_scoped(folder: Path) -> None:
    """Save a model in a variable scope, whose partitioner cuts most tensors in three along the last axis, with Adam."""

    def partition(shape: tf.TensorShape, dtype: tf.DType) -> list[int]:
        return [*(1 for _ in shape[:-1]), 3 if shape[-1] > 4 else 1]

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with tf.compat.v1.variable_scope("tower", partitioner=partition):
            for name, values in make_tensors(folder).items():
                tf.compat.v1.get_variable(name, initializer=tf.constant(values), use_resource=False)
        add_optimizer(tf.compat.v1.trainable_variables())
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / "model"), global_step=77, write_meta_graph=False)


def save_several(folder: Path) -> None:
    """Save the same model three times, as a run does that keeps its saves; the weights grow by 1 from save to save."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, values in make_tensors(folder).items():
            tf.compat.v1.get_variable(name, initializer=values, use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        grow = [variable.assign_add(tf.ones_like(variable)) for variable in tf.compat.v1.trainable_variables()]
        saver = tf.compat.v1.train.Saver(max_to_keep=3)
        for step in (900, 1000, 1100):
            saver.save(session, str(folder / "model"), global_step=step, write_meta_graph=False)
            session.run(grow)


SAVE = {
    "openai": save_published,
    "run1": save_fine_tuned,
    "large": save_large,
    "mixed": save_mixed,
    "partitioned": save_partitioned,
    "scoped": save_scoped,
    "several": save_several,
}


def main(folder: str, *cases: str) -> None:
    place = Path(os.path.relpath(folder))  # with a relative path the Saver's pointer holds only the name
    for case in cases:
        SAVE[case](place / case)


if __name__ == "__main__":
    main(*sys.argv[1:])
