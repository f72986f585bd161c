"""Reads checkpoints with TensorFlow: python -m interop.tensorflow.read VALUES CHECKPOINT...

A checkpoint is a prefix, or a folder whose file `checkpoint` names one. VALUES is the .npz to write; its array `1/a/b`
is the tensor `a/b` of the second checkpoint.
"""

import sys

import numpy as np
import tensorflow as tf


def read_tensors(checkpoint: str) -> dict[str, np.ndarray]:
    """Read every tensor by its name; bfloat16 becomes float32, because an .npz has no such type."""
    reader = tf.train.load_checkpoint(checkpoint)
    tensors = {name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}
    narrow = tf.bfloat16.as_numpy_dtype
    return {name: values.astype(np.float32) if values.dtype == narrow else values for name, values in tensors.items()}


def main(values: str, *checkpoints: str) -> None:
    found = {
        f"{number}/{name}": tensor
        for number, checkpoint in enumerate(checkpoints)
        for name, tensor in read_tensors(checkpoint).items()
    }
    np.savez(values, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
