"""GGUF files that llama.cpp's package wrote are read as the model and the tokenizer that they were made of."""

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

import ml_dtypes
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, GPT2LMHeadModel

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint, read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.gguf.gguf_file import read_gguf
from gpt2forge.checkpoint.names import HEAD
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.errors import UserError
from tests.checkpoint.fuzz import make_texts
from tests.checkpoint.gguf_writer import write_gguf
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface
from tests.checkpoint.test_damage import damage

NARROW = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
WIDE = {"n_embd": 32, "vocab_size": 270}  # rows of one block of ggml's, and more of them than the tokenizer has tokens


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model with a control token, an ordinary added token and rows without a token."""
    folder = write_huggingface(tmp_path_factory.mktemp("source"), make_model(**WIDE, layer_norm_epsilon=1e-6))
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    tokenizer.add_tokens(["hello there"])
    tokenizer.chat_template = "{{ messages[0].content }}"
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gguf").mkdir()
    return tmp_path / "gguf"


def load(folder: Path) -> tuple[SourceTokenizer, Contents]:
    return read_checkpoint(find_checkpoint(folder))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_weights_come_out_as_they_were_stored(source: Path, folder: Path, tmp_path: Path, kind: str) -> None:
    write_gguf(source, folder / "model.gguf", kind)
    out = tmp_path / "out"
    out.mkdir()
    assert convert_checkpoint(folder, out).notes == ()
    theirs = GPT2LMHeadModel.from_pretrained(source).state_dict()
    model, loading = GPT2LMHeadModel.from_pretrained(out, output_loading_info=True)
    assert not (loading["missing_keys"] or loading["unexpected_keys"] or loading["mismatched_keys"])
    assert model.config.layer_norm_epsilon == 1e-6
    for name, values in model.state_dict().items():
        expected = theirs[name].numpy()
        if expected.ndim > 1 and not name.endswith("wpe.weight"):
            expected = expected.astype(NARROW[kind]).astype(np.float32)
        assert np.array_equal(values.numpy().view(np.uint32), expected.view(np.uint32)), name


def test_logits_are_those_of_the_source(source: Path, folder: Path, tmp_path: Path) -> None:
    write_gguf(source, folder / "model.gguf")
    out = tmp_path / "out"
    out.mkdir()
    convert_checkpoint(folder, out)
    ids = torch.tensor([[5, 12, 200, 0, 7, 30, 259, 1]])
    with torch.no_grad():
        ours, theirs = (GPT2LMHeadModel.from_pretrained(each)(ids).logits for each in (out, source))
    assert torch.equal(ours, theirs)


def test_tokenizer_is_that_of_the_source(source: Path, folder: Path, tmp_path: Path) -> None:
    write_gguf(source, folder / "model.gguf")
    out = tmp_path / "out"
    out.mkdir()
    convert_checkpoint(folder, out)
    ours, theirs = AutoTokenizer.from_pretrained(out), AutoTokenizer.from_pretrained(source)
    marked = ["a<|endoftext|>b<|pad|>c", "say hello there now", " hello there", "xhello therey"]
    for text in [*marked, *make_texts(200, seed=5)]:
        ids = theirs(text).input_ids
        assert ours(text).input_ids == ids, text
        assert [ours.decode(ids, skip_special_tokens=skip) for skip in (True, False)] == [
            theirs.decode(ids, skip_special_tokens=skip) for skip in (True, False)
        ]
    assert (ours.eos_token, ours.bos_token, ours.pad_token) == ("<|endoftext|>", theirs.bos_token, "<|pad|>")
    assert ours.chat_template == theirs.chat_template
    tokenizer, contents = load(folder)
    assert (tokenizer.size, contents.config.vocab_size, contents.config.ends) == (262, 270, (0,))


def test_first_token_that_the_source_puts_before_a_text_is_kept(source: Path, folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(source, tmp_path / "own"))
    values = json.loads((own / "tokenizer_config.json").read_text())
    (own / "tokenizer_config.json").write_text(json.dumps({**values, "add_bos_token": True}))
    (own / "tokenizer.json").write_text(AutoTokenizer.from_pretrained(own).backend_tokenizer.to_str())
    write_gguf(own, folder / "model.gguf")
    out = tmp_path / "out"
    out.mkdir()
    convert_checkpoint(folder, out)
    assert AutoTokenizer.from_pretrained(out)("the").input_ids == [
        0,
        *AutoTokenizer.from_pretrained(source)("the").input_ids,
    ]


def test_head_of_its_own_is_kept(folder: Path, tmp_path: Path) -> None:
    model = make_model(**WIDE, tie_word_embeddings=False)
    source = write_huggingface(tmp_path / "source", model)
    write_gguf(source, folder / "model.gguf")
    _, contents = load(folder)
    head = next(tensor for tensor in contents.tensors if tensor.name == HEAD)
    values = np.concatenate([piece.copy() for piece in read_pieces(head)])
    assert np.array_equal(values, model.lm_head.weight.detach().numpy().reshape(-1))


@pytest.mark.parametrize("pre", [None, "default"])
def test_unknown_way_of_splitting_is_noted(source: Path, folder: Path, pre: str | None) -> None:
    write_gguf(source, folder / "model.gguf", pre=pre)
    _, contents = load(folder)
    assert contents.notes == (
        "the file does not say how its tokenizer splits text (`tokenizer.ggml.pre`); it is split as GPT-2 does, so "
        "compare some ids with those of the model that it was made of",
    )


def test_other_way_of_splitting_is_refused(source: Path, folder: Path) -> None:
    path = write_gguf(source, folder / "model.gguf", pre="llama-bpe")
    assert refusal(folder) == (
        f"{path}: its tokenizer (`tokenizer.ggml.model` `gpt2`, `tokenizer.ggml.pre` `llama-bpe`) is not GPT-2's "
        "byte-level BPE"
    )


def test_quantized_weights_are_refused_by_name(source: Path, folder: Path) -> None:
    path = write_gguf(source, folder / "model.gguf", "Q8_0")
    assert refusal(folder) == (
        f"{path}: `token_embd.weight` is stored as Q8_0, and only F32, F16 and BF16 can be read; use the model that it "
        "was made of, or `llama-quantize --allow-requantize IN OUT F32`"
    )


def test_other_architecture_is_refused_by_name(source: Path, folder: Path) -> None:
    path = write_gguf(source, folder / "model.gguf")
    path.write_bytes(path.read_bytes().replace(b"\x04\0\0\0\0\0\0\0gpt2", b"\x04\0\0\0\0\0\0\0mpt2", 1))
    assert refusal(folder) == f"{path}: a GGUF of the architecture `mpt2`; only `gpt2` can be built"


def test_several_files_are_named(source: Path, folder: Path) -> None:
    for name in ("a-F16.gguf", "a-f32.gguf"):
        write_gguf(source, folder / name)
    assert refusal(folder) == (
        f"{folder}: holds 2 GGUF files, `a-F16.gguf`, `a-f32.gguf`; name the path of one of them, in F32 or F16 "
        "(parts of one file become one with `llama-gguf-split --merge FIRST OUT`)"
    )


def test_the_one_file_that_is_not_quantized_by_its_name_is_taken_and_noted(source: Path, folder: Path) -> None:
    for name, kind in (("gpt2.Q4_K_M.gguf", "Q8_0"), ("gpt2.f16.gguf", "F16"), ("gpt2.IQ4_XS.gguf", "Q8_0")):
        write_gguf(source, folder / name, kind)
    found = find_checkpoint(folder)
    assert found.files == ("gpt2.f16.gguf",)
    assert found.notes == ("the file `gpt2.f16.gguf` is read, of 3 the one that is not quantized by its name",)
    assert len(load(folder)[1].tensors) == 28


def test_weights_of_hugging_face_beside_it_come_first(source: Path) -> None:
    path = write_gguf(source, source / "model.gguf")
    try:
        assert find_checkpoint(source).format.name == "huggingface"
    finally:
        path.unlink()


def test_config_beside_it_is_not_a_checkpoint_of_its_own(source: Path, folder: Path) -> None:
    path = write_gguf(source, folder / "model.gguf")
    (folder / "config.json").write_bytes((source / "config.json").read_bytes())
    found = find_checkpoint(path)
    assert (found.format.name, found.files) == ("gguf", ("model.gguf",))


HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
KEY = struct.pack("<Q", 1) + b"k"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "4 bytes at 0 lie behind its end"),
        (b"GGML" + bytes(60), "its first bytes are not `GGUF`"),
        (b"GGUF" + bytes(60), "it has version 0; only 2 and 3 can be read"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "8 bytes at 24 lie behind its end"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "8 bytes at 24 lie behind its end"),
        (HEADER + struct.pack("<Q", 1 << 62), "4611686018427387904 bytes at 32 lie behind its end"),
        (HEADER + KEY + struct.pack("<I", 13), "a value has the unknown type 13"),
        (HEADER + KEY + struct.pack("<IIQ", 9, 9, 1), "an array holds values of the type 9"),
        (HEADER + KEY + struct.pack("<IIQ", 9, 4, 1 << 62), "18446744073709551616 bytes at 49 lie behind its end"),
        (HEADER + KEY + struct.pack("<IIQ", 9, 8, 1 << 62), "8 bytes at 49 lie behind its end"),
    ],
)
def test_hostile_header_is_refused_in_one_line(folder: Path, content: bytes, fault: str) -> None:
    path = folder / "model.gguf"
    path.write_bytes(content)
    assert refusal(folder).startswith(f"{path}: not a GGUF file, or damaged: {fault}")


def test_cut_off_file_is_noticed(source: Path, folder: Path) -> None:
    path = write_gguf(source, folder / "model.gguf")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 64])
    assert refusal(folder).startswith(f"{path}: not a GGUF file, or damaged: `output_norm.bias` lies at ")
    assert refusal(folder).endswith(f"but the file has {len(content) - 64} bytes; is the download complete?")


@pytest.fixture(scope="module")
def damaged(source: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        write_gguf(source, Path(folder) / "model.gguf")
        yield Path(folder)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_file_ends_in_one_line(damaged: Path, data: st.DataObject) -> None:
    path = damaged / "model.gguf"
    before = path.read_bytes()
    start = min(tensor.offset for tensor in read_gguf(path).tensors.values())
    header = damage(before[:start], data)
    try:
        path.write_bytes(header + before[start:])
        _, contents = load(damaged)
        for tensor in contents.tensors:
            sum(piece.size for piece in read_pieces(tensor))
    except UserError as error:
        assert str(error) and "\n" not in str(error)
    finally:
        path.write_bytes(before)


def test_path_of_a_file_chooses_one_of_several(source: Path, folder: Path) -> None:
    for name in ("a-F16.gguf", "b-f32.gguf"):
        write_gguf(source, folder / name)
    assert find_checkpoint(folder / "a-F16.gguf").files == ("a-F16.gguf",)
    assert find_checkpoint(folder, wanted=Wanted(file="b-f32.gguf")).files == ("b-f32.gguf",)
