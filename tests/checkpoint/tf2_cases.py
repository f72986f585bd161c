"""Lets transformers 4 and TensorFlow write a TFGPT2LMHeadModel as TensorFlow 2 checkpoints, and what it computes.

    python -m tests.checkpoint.tf2_cases FOLDER

wrote tests/data/tf2_weights (Keras' save_weights) and tests/data/tf2_run (tf.train.Checkpoint with an optimizer's slots,
saved twice). transformers 5 has no such model, so it ran in the environment of interop/tensorflow with these beside it:
transformers==4.57.3 tf-keras==2.21.0 huggingface-hub==0.36.2 tokenizers==0.22.2 safetensors==0.8.0 filelock fsspec
pyyaml regex tqdm.
"""

import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before TensorFlow is imported

import numpy as np
import tensorflow as tf
from transformers import GPT2Config, GPT2Tokenizer, TFGPT2LMHeadModel

from tests.checkpoint.tiny import Shape, list_openai_shapes, make_values, write_openai_texts

IDS = [[5, 12, 200, 0, 7, 30, 259, 1]]


def make_model() -> TFGPT2LMHeadModel:
    """Make a model with the values of the tiny GPT-2."""
    shape = Shape()
    config = GPT2Config(
        vocab_size=shape.n_vocab,
        n_positions=shape.n_ctx,
        n_embd=shape.n_embd,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = TFGPT2LMHeadModel(config)
    model(tf.constant(IDS))
    values = {name_keras(name): make_values(name, lengths) for name, lengths in list_openai_shapes(shape).items()}
    for variable in model.weights:
        own = values.pop(variable.name.partition("/transformer/")[2].removesuffix(":0"))
        variable.assign(own.reshape(variable.shape))
    assert not values
    return model


def name_keras(openai: str) -> str:
    """Return the name of a variable of TFGPT2LMHeadModel that has this name in OpenAI's checkpoints."""
    parts = openai.removeprefix("model/").split("/")
    if parts[0][0] == "h":
        parts[0] = f"h_._{parts[0][1:]}"
    if parts[0] in ("wte", "wpe"):
        return f"{parts[0]}/embeddings"
    norm = {"g": "gamma", "b": "beta"}
    return "/".join([*parts[:-1], norm[parts[-1]] if "ln_" in parts[-2] else {"w": "weight", "b": "bias"}[parts[-1]]])


def save_run(model: TFGPT2LMHeadModel, folder: Path) -> None:
    """Save two checkpoints of a training loop; the second one holds the values of the model before it."""
    before = [variable.numpy() for variable in model.weights]
    optimizer = tf.keras.optimizers.legacy.Adam(1e-3)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(net=model, optimizer=optimizer), folder, max_to_keep=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(tf.constant(IDS)).logits ** 2)
    optimizer.apply_gradients(
        zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
    )
    manager.save()
    for variable, values in zip(model.weights, before, strict=True):
        variable.assign(values)
    manager.save()


def main(folder: str) -> None:
    os.chdir(folder)  # with a relative path the pointer holds only the name
    model = make_model()
    model.save_weights("tf2_weights/tf_model")
    np.save("tf2_weights/logits.npy", model(tf.constant(IDS)).logits.numpy())
    save_run(model, Path("tf2_run"))
    for name in ("tf2_weights", "tf2_run"):
        model.config.save_pretrained(name)
        write_openai_texts(Path(name), Shape())
        GPT2Tokenizer(f"{name}/encoder.json", f"{name}/vocab.bpe").save_pretrained(name)
        for text in ("encoder.json", "vocab.bpe", "hparams.json"):
            Path(name, text).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
