"""A format that exists only here: weights in an .npz, configuration in model.json, OpenAI's tokenizer files.

It shows all that a new format takes: this file, and its value in a tuple of formats.
"""

import ast
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from gpt2forge.checkpoint.config import ModelConfig, parse_config
from gpt2forge.checkpoint.contents import Contents, SourceTensor, check_apart, check_tensor
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.names import TensorSpec, list_specs
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError

CONFIG, WEIGHTS, TOKENIZER = "model.json", "weights.npz", ("encoder.json", "vocab.bpe")
DTYPES = {"<f4": "F32", "<f2": "F16"}
ZIP_HEADER, NPY_HEADER = 30, 10  # bytes; both end with a length


def holds_npz(names: set[str]) -> bool:
    return WEIGHTS in names


def find_npz(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    files = tuple(sorted((CONFIG, WEIGHTS, *TOKENIZER)))
    missing = [name for name in files if name not in names]
    if missing:
        raise UserError(f"{folder}: `{'`, `'.join(missing)}` missing")
    return Checkpoint(folder, NPZ, files, weights=(WEIGHTS,))


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    return make_from_vocabulary(read_openai_vocabulary(checkpoint.folder))


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    path = checkpoint.folder / CONFIG
    config: ModelConfig = parse_config(read_object(path), path)
    weights = checkpoint.folder / WEIGHTS
    with ZipFile(weights) as archive, weights.open("rb") as file:
        members = {member.filename: member for member in archive.infolist()}
        tensors = tuple(locate(spec, members[f"{spec.name}.npy"], file, path) for spec in list_specs(config))
    check_apart(tensors)
    return Contents(config, tensors, left_out=())


def locate(spec: TensorSpec, member: ZipInfo, file: BinaryIO, config: Path) -> SourceTensor:
    """Find the bytes of an array: members of an .npz are not compressed, so they lie in the file as they are."""
    assert member.compress_type == ZIP_STORED
    file.seek(member.header_offset)
    lengths = file.read(ZIP_HEADER)[-4:]
    start = member.header_offset + ZIP_HEADER + sum(int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    file.seek(start)
    length = int.from_bytes(file.read(NPY_HEADER)[-2:], "little")
    header = ast.literal_eval(file.read(length).decode("latin-1"))
    before = NPY_HEADER + length
    tensor = SourceTensor(
        spec.name,
        DTYPES[header["descr"]],
        header["shape"],
        path=Path(file.name),
        offset=start + before,
        nbytes=member.file_size - before,
    )
    check_tensor(tensor, shape=spec.shape, config=config, index=tensor.path, name=spec.name)
    return tensor


NPZ = Format(
    name="npz",
    title="NumPy",
    expected_files="a folder of arrays (model.json, weights.npz, encoder.json, vocab.bpe)",
    is_in=holds_npz,
    find=find_npz,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
