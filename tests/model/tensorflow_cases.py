"""Checkpoints that the real TensorFlow writes and reads; a program of its own, so that no test imports TensorFlow.

    python -m tests.model.tensorflow_writer write FOLDER CASE...   each case into a folder of its name
    python -m tests.model.tensorflow_writer read FILE FOLDER...    what TensorFlow reads in each, as one .npz

The checkpoints under tests/data are `write tests/data` of every case in KEPT.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.model.tiny import DEEP, Shape, list_openai_shapes, make_values, write_openai_texts

LARGE = Shape(n_vocab=70_000, n_ctx=64, n_embd=8)  # an embedding of more than one piece
KEPT = ("openai", "run1", "mixed", "partitioned")


def write(folder: Path, *cases: str) -> None:
    """Let TensorFlow write these cases."""
    run("write", str(folder), *cases)


def read(file: Path, *folders: Path) -> dict[str, np.ndarray]:
    """Let TensorFlow read these checkpoints: float32 values by `folder name:tensor name`."""
    run("read", str(file), *map(str, folders))
    with np.load(file) as values:
        return dict(values)


def run(*arguments: str) -> None:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [sys.executable, "-m", "tests.model.tensorflow_writer", *arguments],
        check=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
    )


def save(
    tf: Any, folder: Path, shape: Shape, name: str, extra: Callable[[Any, list[Any]], object], **saver: Any
) -> None:
    """Save a model through tf.compat.v1's Saver, as OpenAI and gpt-2-simple do."""
    write_openai_texts(folder, shape)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(tensor, initializer=make_values(tensor, lengths), use_resource=False)
            for tensor, lengths in list_openai_shapes(shape).items()
        ]
        extra(tf, variables)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / name), write_meta_graph=False, **saver)


def add_nothing(tf: Any, variables: list[Any]) -> None:
    return


def add_optimizer(tf: Any, variables: list[Any]) -> None:
    """What fine-tuning leaves: Adam's slots, its powers, and a counter."""
    step = tf.compat.v1.train.get_or_create_global_step()
    loss = tf.add_n([tf.reduce_sum(variable) for variable in variables])
    tf.compat.v1.train.AdamOptimizer().minimize(loss, global_step=step)


def save_mixed(tf: Any, folder: Path) -> None:
    """Three shards: float32, float16 and bfloat16."""
    shape = Shape()
    write_openai_texts(folder, shape)
    parts: list[list[tuple[str, Any]]] = [[], [], []]
    for number, (name, lengths) in enumerate(list_openai_shapes(shape).items()):
        dtype = (tf.float32, tf.float16, tf.bfloat16)[number % 3]
        parts[number % 3].append((name, tf.cast(tf.constant(make_values(name, lengths)), dtype)))
    prefixes = [str(folder / f"part-{number}") for number in range(3)]
    for prefix, tensors in zip(prefixes, parts, strict=True):
        names, values = zip(*tensors, strict=True)
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    merge = tf.raw_ops.MergeV2Checkpoints
    merge(checkpoint_prefixes=prefixes, destination_prefix=str(folder / "model.ckpt"), delete_old_dirs=False)
    (folder / "checkpoint").write_text('model_checkpoint_path: "C:\\\\Users\\\\someone\\\\gpt2\\\\model.ckpt"\n')


def save_partitioned(tf: Any, folder: Path) -> None:
    """One tensor is saved in two partitions."""
    shape = Shape()
    write_openai_texts(folder, shape)
    values = {name: make_values(name, lengths) for name, lengths in list_openai_shapes(shape).items()}
    wte = values.pop("model/wte")
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=[*values, "model/wte", "model/wte"],
        shape_and_slices=[""] * len(values) + ["260 8 0,130:0,8", "260 8 130,130:0,8"],
        tensors=[*values.values(), wte[:130], wte[130:]],
    )


def write_case(tf: Any, folder: Path, case: str) -> None:
    if case == "openai":
        save(tf, folder, DEEP, "model.ckpt", add_nothing)
        (folder / "checkpoint").write_text('model_checkpoint_path: "/home/someone/gpt-2/models/tiny/model.ckpt"\n')
    elif case == "run1":
        save(tf, folder, Shape(), "model", add_optimizer, global_step=1000)
    elif case == "large":
        save(tf, folder, LARGE, "model.ckpt", add_nothing)
    elif case == "mixed":
        save_mixed(tf, folder)
    elif case == "partitioned":
        save_partitioned(tf, folder)


def read_all(tf: Any, folder: Path) -> dict[str, np.ndarray]:
    prefix = str(next(folder.glob("*.index")))[: -len(".index")]
    reader = tf.train.load_checkpoint(prefix)
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith("model/") and "Adam" not in name]
    return {f"{folder.name}:{name}": reader.get_tensor(name).astype(np.float32) for name in names}


def main(mode: str, path: Path, rest: list[str]) -> None:
    import tensorflow as tf

    if mode == "write":
        for case in rest:
            write_case(tf, path / case, case)
    else:
        values: dict[str, Any] = {}
        for folder in rest:
            values |= read_all(tf, Path(folder))
        np.savez(path, **values)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
