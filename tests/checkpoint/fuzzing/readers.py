"""The readers that are fuzzed: the files of samples that each reads, and the function that reads them.

A reader of weights opens the file, finds the model's tensors in it and reads all their values; what lies beside the
file is read once, before.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.adapter.merge_adapter import merge_adapter
from gpt2forge.checkpoint.choose_tokens import choose_tokens
from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint, read_generation
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.huggingface.flax_weights import FLAX
from gpt2forge.checkpoint.huggingface.pytorch_weights import PYTORCH
from gpt2forge.checkpoint.huggingface.tensorflow_weights import TENSORFLOW
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from tests.checkpoint.fuzzing.attempt import Target
from tests.checkpoint.fuzzing.index_entries import list_entries, make_index
from tests.checkpoint.tiny import DATA

Read = Callable[[], object]
"""Reads a file of a sample."""

Prepare = Callable[[Path], Read]
"""Reads a sample before any of it is damaged, and returns the function that reads it again."""


@dataclass(frozen=True)
class Reader:
    """The files of some samples that are fuzzed together, each with a copy of the sample for itself."""

    samples: tuple[str, ...]
    files: tuple[str, ...]
    prepare: Prepare
    is_sealed: bool = False


def prepare_weights(folder: Path) -> Read:
    """Read the weights and the configuration, with the tokenizer as it was."""
    checkpoint = find_checkpoint(folder)
    tokenizer, _ = read_checkpoint(checkpoint)

    def read() -> None:
        read_values(choose_tokens(checkpoint.format.read_contents(checkpoint, tokenizer), tokenizer))
        read_generation(checkpoint)

    return read


def prepare_found(folder: Path) -> Read:
    """Find the files of the checkpoint, as the plan does."""
    return lambda: find_checkpoint(folder)


def prepare_file(folder: Path, kind: WeightKind) -> Read:
    """Read every tensor of a file of weights, whatever model it is."""
    path = folder / kind.single

    def read() -> None:
        for tensor in kind.read(path).values():
            if tensor.dtype in ITEM_SIZES:
                read_tensor(tensor)

    return read


def prepare_tokenizer(folder: Path) -> Read:
    """Read the tokenizer alone."""
    checkpoint = find_checkpoint(folder)
    _, contents = read_checkpoint(checkpoint)

    def read() -> None:
        tokenizer = checkpoint.format.read_tokenizer(checkpoint)
        choose_tokens(contents, tokenizer)
        tokenizer.describe()

    return read


def prepare_adapter(folder: Path) -> Read:
    """Merge the adapter into the sample of its model."""
    _, contents = read_checkpoint(find_checkpoint(DATA / "peft" / "base"))
    return lambda: read_values(merge_adapter(contents, folder))


def read_values(contents: Contents) -> None:
    for tensor in contents.tensors:
        read_tensor(tensor)


def read_tensor(tensor: SourceTensor) -> None:
    for _ in read_pieces(tensor):
        pass


TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")
TF1, TF2 = ("run1", "partitioned"), ("tf2_run", "tf2_weights")
SAVES = ("model*.index", "tf_model.index", "ckpt-2.index")
READERS: Mapping[str, Reader] = {
    "TensorFlow 1": Reader(TF1, (*SAVES, "hparams.json"), prepare_weights),
    "TensorFlow 1, entries": Reader(TF1, SAVES, prepare_weights, is_sealed=True),
    "TensorFlow's values": Reader(("tf2_weights",), ("*.data-*",), prepare_weights),
    "TensorFlow 2": Reader(TF2, (*SAVES, "config.json"), prepare_weights),
    "TensorFlow 2, entries": Reader(TF2, SAVES, prepare_weights, is_sealed=True),
    "file checkpoint": Reader(("partitioned", "tf2_run"), ("checkpoint",), prepare_found),
    "OpenAI's tokenizer": Reader(("openai",), ("encoder.json", "vocab.bpe"), prepare_tokenizer),
    "config.json": Reader(("safetensors",), ("config.json", "generation_config.json"), prepare_weights),
    "tokenizer of transformers": Reader(("safetensors", "split"), TOKENIZER_FILES, prepare_tokenizer),
    "sentencepiece": Reader(("sentencepiece",), ("spiece.model",), prepare_tokenizer),
    "safetensors": Reader(("safetensors",), ("model.safetensors",), prepare_weights),
    "index of shards": Reader(("shards", "bin-shards"), ("*.index.json",), prepare_found),
    "pytorch_model.bin": Reader(("tensors.bin",), ("*.bin",), lambda folder: prepare_file(folder, PYTORCH)),
    "the same before 1.6": Reader(("old-tensors.bin",), ("*.bin",), lambda folder: prepare_file(folder, PYTORCH)),
    "tf_model.h5": Reader(("h5",), ("*.h5",), lambda folder: prepare_file(folder, TENSORFLOW)),
    "flax_model.msgpack": Reader(("flax",), ("*.msgpack",), lambda folder: prepare_file(folder, FLAX)),
    "nanoGPT": Reader(("nanogpt",), ("ckpt.pt",), prepare_weights),
    "GGUF, weights": Reader(("gguf",), ("*.gguf",), prepare_weights),
    "GGUF, tokenizer": Reader(("gguf",), ("*.gguf",), prepare_tokenizer),
    "adapter": Reader(("adapter",), ("adapter_config.json", "adapter_model.*"), prepare_adapter),
}
"""The readers by name. A sealed one has files with checksums, which are made anew for what is damaged below them."""


def make_targets(samples: Path, folder: Path, reader: Reader) -> list[Target]:
    """Copy a sample into `folder` for each file that the reader reads."""
    return [
        make_target(shutil.copytree(samples / sample, folder / f"{sample}-{place}"), name, reader)
        for place, (sample, name) in enumerate(list_files(samples, reader))
    ]


def list_files(samples: Path, reader: Reader) -> Iterator[tuple[str, str]]:
    """Yield the name of a sample and that of a file in it, for each file that the reader reads."""
    for sample in reader.samples:
        names = {path.name for pattern in reader.files for path in (samples / sample).glob(pattern)}
        yield from ((sample, name) for name in sorted(names))


def make_target(folder: Path, name: str, reader: Reader) -> Target:
    content = (folder / name).read_bytes()
    read = reader.prepare(folder)
    if reader.is_sealed:
        return Target(folder / name, read, list_entries(content), wrap=make_index)
    return Target(folder / name, read, content)
