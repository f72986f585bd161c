"""Reading encoder.json and vocab.bpe, and the message for each fault in them."""

import json
import shutil
from pathlib import Path

import pytest

from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Added
from gpt2forge.errors import UserError
from tests.checkpoint.tiny import DATA, DEEP, make_encoder
from tests.workshop import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "openai", tmp_path / "openai"))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        read_openai_vocabulary(folder)
    return str(error.value)


def test_openai_files_are_read() -> None:
    vocabulary = read_openai_vocabulary(DATA / "openai")
    assert vocabulary.ids == make_encoder(DEEP)
    assert vocabulary.merges == (("Ġ", "t"), ("h", "e"), ("Ġt", "he"))
    assert vocabulary.added == (Added(0, END_OF_TEXT),)
    assert vocabulary.roles == dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)
    assert vocabulary.size == 260


def test_windows_line_ends_are_read(folder: Path) -> None:
    path = folder / "vocab.bpe"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_openai_vocabulary(folder) == read_openai_vocabulary(DATA / "openai")


@pytest.mark.parametrize("number", ["0", None, -1, 1.0, True, 1 << 31])
def test_id_that_is_no_count_is_refused(folder: Path, number: object) -> None:
    (folder / "encoder.json").write_text(json.dumps(make_encoder(DEEP) | {"x": number}))
    assert refusal(folder) == f"{folder / 'encoder.json'}: `x` has the id `{number}`, not a count"


def test_id_given_twice_is_refused(folder: Path) -> None:
    (folder / "encoder.json").write_text(json.dumps(make_encoder(DEEP) | {"x": 259, "y": 259}))
    assert refusal(folder) == (
        f"{folder / 'encoder.json'}: two tokens have the same id; is it the file of this checkpoint?"
    )


def test_vocabulary_that_lacks_bytes_is_refused(folder: Path) -> None:
    (folder / "encoder.json").write_text(json.dumps({"a": 0, "b": 1}))
    assert refusal(folder) == (
        f"{folder / 'encoder.json'}: has no token for 254 of the 256 bytes, so it is no byte-level BPE"
    )


def test_missing_end_of_text_is_refused(folder: Path) -> None:
    values = make_encoder(DEEP)
    del values[END_OF_TEXT]
    (folder / "encoder.json").write_text(json.dumps(values))
    assert refusal(folder) == f"{folder / 'encoder.json'}: has no `<|endoftext|>`; is it the one of this checkpoint?"


def test_merge_of_unknown_tokens_is_refused(folder: Path) -> None:
    (folder / "vocab.bpe").write_text("#version: 0.2\nh e\na b\n")
    assert refusal(folder) == f"{folder / 'vocab.bpe'}: merge 1, `a b`, names tokens that the vocabulary lacks"


@pytest.mark.parametrize("lines", [0, 100, 2000])
def test_merges_that_were_cut_off_are_refused(tmp_path: Path, lines: int) -> None:
    """Such merges would split text into tokens that the model was not trained on, and it would write garbage."""
    for name in ("encoder.json", "vocab.bpe"):
        shutil.copy(ROOT / "examples/nano" / name, tmp_path)
    path = tmp_path / "vocab.bpe"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    unmade = 4096 - 257 - max(0, lines - 1)
    message = f"{unmade} of the 4096 tokens have no merge that makes them; is the file complete?"
    assert refusal(tmp_path) == f"{path}: {message}"


def test_merge_that_is_no_pair_is_refused(folder: Path) -> None:
    (folder / "vocab.bpe").write_text("#version: 0.2\nh e l\n")
    assert refusal(folder) == f"{folder / 'vocab.bpe'}: merge 0, `['h', 'e', 'l']`, is not two tokens"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"\xff",
            "not UTF-8 text: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; is it the right file?",
        ),
        (b"{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"[]", "not a JSON object; is it the right file?"),
    ],
)
def test_file_that_is_something_else_is_refused(folder: Path, content: bytes, message: str) -> None:
    (folder / "encoder.json").write_bytes(content)
    assert refusal(folder) == f"{folder / 'encoder.json'}: {message}"
