"""A recipe may name another tokenizer than the checkpoint's, or none: then texts are ids."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.other_tokenizer import find_tokenizer_place, list_tokenizer_files, read_other_tokenizer
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
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


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "encoder.json"])
def test_file_by_its_usual_name_stands_for_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "mine.json").touch()
    assert find_tokenizer_place(tmp_path / name) == tmp_path
    assert find_tokenizer_place(tmp_path / "mine.json") == tmp_path / "mine.json"
    assert find_tokenizer_place(tmp_path / "absent" / name) == tmp_path / "absent" / name


@pytest.mark.parametrize("place", ["tokenizer_config.json", "config.json"])
def test_what_describes_the_other_tokenizer_counts(bare: Path, tmp_path: Path, place: str) -> None:
    """A space before the first word is in tokenizer_config.json; the class may stand in config.json alone."""
    folder = tmp_path / "words"
    make_tokenizer().save_pretrained(folder)
    values = json.loads((folder / "tokenizer_config.json").read_text())
    if place == "tokenizer_config.json":
        values |= {"add_prefix_space": True, "pad_token": "<pad>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(values))
    else:
        (folder / "tokenizer_config.json").unlink()
        (folder / place).write_text(json.dumps({"model_type": "gpt2", "tokenizer_class": "GPT2Tokenizer"}))
    assert place in list_tokenizer_files(folder)
    expected = AutoTokenizer.from_pretrained(folder)
    out = convert(bare, tmp_path / "out", folder)
    found = AutoTokenizer.from_pretrained(out)
    for text in ("hello", "the the<|endoftext|>x"):
        assert read_tokenizer(out).encode(text).ids == found(text).input_ids == expected(text).input_ids
    assert (found.pad_token, found.eos_token) == (expected.pad_token, expected.eos_token)


@pytest.mark.parametrize("form", ["folder", "alone", "file", "openai"])
def test_another_tokenizer_that_is_read_wrongly_fails(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    folder = tmp_path / "words"
    make_tokenizer().save_pretrained(folder)
    if form in ("alone", "file"):
        (folder / "tokenizer_config.json").unlink()
    if form == "openai":
        (folder / "tokenizer.json").unlink()
        for name in ("encoder.json", "vocab.bpe"):
            shutil.copy(DATA / "openai" / name, folder)
    if form == "file":
        (folder / "tokenizer.json").rename(folder / "mine.json")
    other = folder / "mine.json" if form == "file" else folder

    def read_wrongly(path: Path) -> SourceTokenizer:
        found = read_other_tokenizer(path)
        values = json.loads(found.text)
        values["model"]["merges"] = []
        return replace(found, text=json.dumps(values))

    convert(bare, tmp_path / "right", other)
    monkeypatch.setattr("gpt2forge.checkpoint.convert_checkpoint.read_other_tokenizer", read_wrongly)
    with pytest.raises(UserError, match=r"words.*the tokenizer cannot be converted exactly"):
        convert(bare, tmp_path / "wrong", other)
