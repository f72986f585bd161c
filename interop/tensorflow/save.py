"""Saves the arrays of an .npz as TF1 variables of the same names, with TensorFlow's own Saver.

python -m interop.tensorflow.save VALUES PREFIX writes PREFIX.index, .data and .meta, and `checkpoint` beside them.
"""

import sys

import numpy as np
import tensorflow as tf


def make_variable(name: str, values: np.ndarray, session: tf.compat.v1.Session) -> tf.Variable:
    """Make a TF1 variable that holds these values. They are fed, so that the graph definition does not hold them."""
    fed = tf.compat.v1.placeholder(values.dtype, values.shape)
    variable = tf.compat.v1.get_variable(name, initializer=fed, use_resource=False)
    session.run(variable.initializer, {fed: values})
    return variable


def main(values: str, prefix: str) -> None:
    with np.load(values) as arrays, tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [make_variable(name, arrays[name], session) for name in arrays.files]
        tf.compat.v1.train.Saver(variables).save(session, prefix)


if __name__ == "__main__":
    main(*sys.argv[1:])
