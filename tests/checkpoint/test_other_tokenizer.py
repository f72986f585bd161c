"""A recipe may name another tokenizer than the checkpoint's, or none: then texts are ids."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.other_tokenizer import list_tokenizer_files
from gpt2forge.errors import UserError
from gpt2forge.runtime.text import encode_text, open_stream, read_tokenizer
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface
from tests.checkpoint.tiny import DATA

OTHER = Wanted(own_tokenizer=False)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Write a checkpoint without a tokenizer."""
    make_model().save_pretrained(tmp_path / "bare")
    return tmp_path / "bare"


def convert(source: Path, out: Path, other: Path | None) -> Path:
    out.mkdir()
    convert_checkpoint(source, out, wanted=OTHER, other=other)
    return out


def test_checkpoint_without_a_tokenizer_is_refused_unless_another_is_named(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tokenizer"):
        find_checkpoint(bare)
    make_tokenizer().save_pretrained(tmp_path / "words")
    found = AutoTokenizer.from_pretrained(convert(bare, tmp_path / "out", tmp_path / "words"))
    assert found("hello<|endoftext|>").input_ids == make_tokenizer()("hello<|endoftext|>").input_ids


@pytest.mark.parametrize("form", ["file", "openai"])
def test_tokenizer_is_a_file_or_openais_two(bare: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "words"
    make_tokenizer().save_pretrained(folder)
    if form == "openai":
        shutil.rmtree(folder)
        folder.mkdir()
        for name in ("encoder.json", "vocab.bpe"):
            shutil.copy(DATA / "openai" / name, folder)
        assert list_tokenizer_files(folder) == ("encoder.json", "vocab.bpe")
    else:
        (folder / "tokenizer.json").rename(folder / "mine.json")
    other = folder if form == "openai" else folder / "mine.json"
    found = read_tokenizer(convert(bare, tmp_path / "out", other))
    assert found.encode("hello").ids == make_tokenizer()("hello").input_ids


def test_checkpoints_own_tokenizer_is_not_read_if_another_is_named(tmp_path: Path) -> None:
    source = write_huggingface(tmp_path / "in", make_model())
    (source / "tokenizer.json").write_text("damaged")
    assert "tokenizer.json" not in find_checkpoint(source, wanted=OTHER).files
    convert(source, tmp_path / "out", None)


def test_without_a_tokenizer_a_text_is_ids(bare: Path, tmp_path: Path) -> None:
    out = convert(bare, tmp_path / "out", None)
    tokenizer = read_tokenizer(out)
    assert encode_text(tokenizer, "1 2 259\n4") == [1, 2, 259, 4]
    stream = open_stream(tokenizer)
    assert "".join(map(stream.push, [1, 2, 259])) + stream.finish() == "1 2 259"
    assert AutoTokenizer.from_pretrained(out)("7 8").input_ids == [7, 8]
    assert Tokenizer.from_file(str(out / "tokenizer.json")).get_vocab_size() == 260
    for text in ("1 x", "260"):
        with pytest.raises(UserError, match="cannot be turned into tokens"):
            encode_text(tokenizer, text)


def test_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no tokenizer; put"):
        list_tokenizer_files(tmp_path)


def test_special_tokens_may_be_read_as_text_and_then_stop_generating_as_text(tmp_path: Path) -> None:
    source = tmp_path / "run"
    shutil.copytree(DATA / "run1", source)
    kept, notes = {}, {}
    for special in (None, "token", "text"):
        out = tmp_path / str(special)
        out.mkdir()
        notes[special] = convert_checkpoint(source, out, wanted=Wanted(special_tokens=special)).notes
        kept[special] = read_tokenizer(out).encode("a<|endoftext|>b").ids
        assert AutoTokenizer.from_pretrained(out)("a<|endoftext|>b").input_ids == kept[special]
    assert len(kept["token"]) == 3 and kept[None] == kept["token"]
    assert len(kept["text"]) > 10
    assert json.loads((tmp_path / "text/generation_config.json").read_text())["stop_strings"] == ["<|endoftext|>"]
    assert "`source.special_tokens: text`" in notes[None][-1] and not notes["text"] and not notes["token"]


def test_tensorflow_run_needs_no_vocabulary_if_another_is_named(tmp_path: Path) -> None:
    source = tmp_path / "run"
    shutil.copytree(DATA / "run1", source)
    for name in ("encoder.json", "vocab.bpe"):
        (source / name).unlink()
    assert read_tokenizer(convert(source, tmp_path / "out", None)).encode("1 2").ids == [1, 2]
