"""The samples: small checkpoints of every format, made with the writer that the format comes from where it is there.

What has many tensors takes long to read, so a model has one layer, and an index of tests/data keeps one.
"""

import io
import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("h5py")

pytest.importorskip("sentencepiece")

import sentencepiece
import torch

from bench.shapes import Shape
from bench.write_formats import WRITERS
from gpt2forge.checkpoint.tf1.leveldb import read_table
from tests.checkpoint.gguf_writer import write_gguf
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, split_tokenizer, write_huggingface
from tests.checkpoint.table_writer import make_table
from tests.checkpoint.tiny import DATA

SMALL = {"n_layer": 1, "n_embd": 2, "n_head": 1, "n_positions": 4}
SHAPE = Shape(n_vocab=260, n_ctx=4, n_embd=2, n_head=1, n_layer=1)
SAVED = ("run1", "partitioned", "tf2_run", "tf2_weights")
LEFT_OUT = re.compile(rb"\bh/?[1-9]\d*/|/m/|/v/|Adam_1|ln_[12f]/.*Adam")
WRITTEN = {
    "bin": "pytorch_model.bin",
    "shards": "4 shards of model.safetensors",
    "bin-shards": "4 shards of pytorch_model.bin",
    "nanogpt": "nanoGPT's ckpt.pt",
    "h5": "tf_model.h5",
    "flax": "flax_model.msgpack",
}
"""The names of the bench's writers, by those of the samples."""


def make_samples(root: Path) -> None:
    """Write a folder for each sample."""
    shutil.copytree(DATA / "openai", root / "openai")
    for name in SAVED:
        shrink_save(shutil.copytree(DATA / name, root / name))
    shutil.copytree(DATA / "peft" / "all", root / "adapter")
    source = write_huggingface(root / "safetensors", make_model(**SMALL))
    split_tokenizer(write_huggingface(root / "split", make_model(**SMALL)))
    for name, format_name in WRITTEN.items():
        (root / name).mkdir()
        WRITERS[format_name](source, root / name, SHAPE)
    make_tokenizer().save_pretrained(root / "nanogpt")
    (root / "gguf").mkdir()
    write_gguf(source, root / "gguf" / "model.gguf")
    write_sentencepiece(root / "sentencepiece")
    write_few_tensors(root / "tensors.bin", is_zip=True)
    write_few_tensors(root / "old-tensors.bin", is_zip=False)


def shrink_save(folder: Path) -> None:
    """Leave one layer in a TensorFlow checkpoint, and few of an optimizer's slots."""
    for path in folder.glob("*.index"):
        entries = [(key, value) for key, value in read_table(path.read_bytes()) if not LEFT_OUT.search(key)]
        path.write_bytes(make_table(entries))
    for name in ("hparams.json", "config.json"):
        if (folder / name).exists():
            values = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps(values | {"n_layer": 1}))


def write_sentencepiece(folder: Path) -> None:
    """Train a vocabulary on a line, and write a model without another tokenizer beside it."""
    make_model(**SMALL).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "extra_ids": 0}')
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat and the hat and the bat"] * 9),
        model_writer=(writer := io.BytesIO()),
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(writer.getvalue())


def write_few_tensors(folder: Path, *, is_zip: bool) -> None:
    """Write tensors of several kinds as PyTorch does: whole, transposed, of one storage, in half precision."""
    folder.mkdir()
    values = torch.arange(12.0).reshape(3, 4)
    tensors = {"a": values, "b": values.T, "c": values[1], "d": values.half(), "e": torch.nn.Parameter(values.clone())}
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
