"""The tokenizer of a Hugging Face directory is, when it is written again, what transformers makes of the directory."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer, Tokenizer
from transformers import AutoTokenizer

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import read_huggingface_tokenizer, read_tokenizer_files
from gpt2forge.checkpoint.locate import list_names
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.write_tokenizer import write_tokenizer
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, split_tokenizer, write_huggingface
from tests.checkpoint.tiny import DATA
from tests.checkpoint.tokenizer_forms import ROLES, TEXTS, write_form

FORMS = 60  # drawn tokenizers; of 1500 none differed


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "tiny", make_model())


def load(folder: Path) -> SourceTokenizer:
    return read_tokenizer_files(folder, list_names(folder))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load(folder)
    return str(error.value)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


def check_equal(source: Path, out: Path) -> Any:
    """Check that what is written is what transformers loads from the source; return the tokenizer that it loads."""
    expected = AutoTokenizer.from_pretrained(source)
    out.mkdir()
    write_tokenizer(load(source), 128, out)
    (out / "config.json").write_text('{"model_type": "gpt2"}')
    loaded, plain = AutoTokenizer.from_pretrained(out), Tokenizer.from_file(str(out / "tokenizer.json"))
    for text in TEXTS:
        ids = expected(text).input_ids
        assert plain.encode(text).ids == ids, text
        assert loaded(text).input_ids == ids, text
        for skip in (True, False):
            said = expected.decode(ids, skip_special_tokens=skip)
            assert loaded.decode(ids, skip_special_tokens=skip) == said
            assert plain.decode(ids, skip_special_tokens=skip) == said
    for name in (*ROLES, "padding_side", "truncation_side", "chat_template"):
        assert getattr(loaded, name) == getattr(expected, name), name
    assert set(loaded.all_special_tokens) == set(expected.all_special_tokens)
    return expected


@pytest.mark.parametrize("seed", range(FORMS))
def test_tokenizer_of_any_form_is_what_transformers_loads(tmp_path: Path, seed: int) -> None:
    write_form(tmp_path / "in", random.Random(seed))
    check_equal(tmp_path / "in", tmp_path / "out")


def write_old(folder: Path) -> None:
    """Write what transformers 4.2 left: special tokens that special_tokens_map.json alone names, and added words."""
    folder.mkdir()
    write_huggingface(folder, make_model())
    split_tokenizer(folder)
    (folder / "tokenizer_config.json").unlink()
    change(folder / "added_tokens.json", **{"<speaker>": 260, "COVID-19": 261, "<sep2>": 262})
    change(folder / "special_tokens_map.json", bos_token="<s>", pad_token="<pad>", additional_special_tokens=["<sep2>"])


def test_special_and_added_tokens_of_old_versions_are_whole(tmp_path: Path) -> None:
    write_old(tmp_path / "in")
    tokenizer = check_equal(tmp_path / "in", tmp_path / "out")
    assert tokenizer("a<speaker>COVID-19").input_ids[-2:] == [260, 261]
    assert tokenizer("<s><pad>").input_ids == [263, 264]


@pytest.mark.parametrize("form", ["pair", "whole"])
def test_space_before_the_first_word_is_kept(tmp_path: Path, form: str) -> None:
    write_huggingface(tmp_path / "in", make_model())
    change(tmp_path / "in/tokenizer_config.json", add_prefix_space=True)
    if form == "pair":
        split_tokenizer(tmp_path / "in")
    tokenizer = check_equal(tmp_path / "in", tmp_path / "out")
    assert tokenizer.decode(tokenizer("hello").input_ids) == " hello"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("lower", [True, False])
def test_wordpiece_of_a_vocab_txt_is_that_of_bert(tmp_path: Path, end: str, lower: bool) -> None:
    trained = BertWordPieceTokenizer(lowercase=lower)
    trained.train_from_iterator(["Hello world 日本語 don't testing café"] * 9, vocab_size=200)
    words = [word for word, _ in sorted(trained.get_vocab().items(), key=lambda item: item[1])]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "vocab.txt").write_bytes(end.join([*words, ""]).encode())
    change(folder / "tokenizer_config.json", do_lower_case=lower)
    change(folder / "config.json", model_type="gpt2", tokenizer_class="BertTokenizer")
    tokenizer = check_equal(folder, tmp_path / "out")
    assert tokenizer("日本語").input_ids[0] == tokenizer.cls_token_id


def test_byte_order_mark_and_crlf_are_read(tiny: Path, tmp_path: Path) -> None:
    split_tokenizer(tiny)
    expected = load(tiny).text
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (tiny / name).write_bytes(b"\xef\xbb\xbf" + (tiny / name).read_bytes().replace(b"\n", b"\r\n"))
    assert load(tiny).text == expected


@pytest.mark.parametrize("as_file", [True, False])
def test_chat_template_is_carried(tiny: Path, tmp_path: Path, as_file: bool) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}!"
    tokenizer.save_pretrained(tiny, save_jinja_files=as_file)
    assert (tiny / "chat_template.jinja").exists() == as_file
    assert not as_file or "chat_template.jinja" in find_checkpoint(tiny).files
    check_equal(tiny, tmp_path / "out")
    assert (tmp_path / "out/chat_template.jinja").read_text() == tokenizer.chat_template
    assert json.loads((tmp_path / "out/tokenizer_config.json").read_text())["chat_template"] == tokenizer.chat_template


def test_tokenizer_json_says_what_openai_files_say(tiny: Path) -> None:
    found, expected = load(tiny), make_from_vocabulary(read_openai_vocabulary(DATA / "openai"))
    assert (found.ids, found.merges, found.added) == (expected.ids, expected.merges, expected.added)
    plain = [Tokenizer.from_str(each.text) for each in (found, expected)]
    assert [plain[0].encode(text).ids for text in TEXTS] == [plain[1].encode(text).ids for text in TEXTS]


def test_token_beyond_the_rows_of_the_model_is_noted(tiny: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(tiny)
    (note,) = load(tiny).list_notes(260)
    assert "`[PAD]` (260)" in note and "rows for 260 tokens only" in note
    assert load(tiny).list_notes(261) == []


def test_vocabulary_of_another_model_is_refused(tiny: Path) -> None:
    with pytest.raises(UserError, match="ids up to 259, but the model only 200 tokens"):
        load(tiny).list_notes(200)


@pytest.mark.parametrize("row", [None, {}, {"id": -1, "content": "x"}, {"id": 3, "content": ""}, {"id": "3"}])
def test_added_token_that_is_none_is_refused(tiny: Path, row: object) -> None:
    path = tiny / "tokenizer.json"
    (tiny / "tokenizer_config.json").unlink()
    change(path, added_tokens=[row])
    assert refusal(tiny) == f"{path}: the added token `{row}` has no id and content"


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("tokenizer.json", {"model": None}, "has no `model.vocab`"),
        ("tokenizer.json", {"model": {"type": "BPE", "vocab": {}}}, "has no `model.merges`"),
        ("tokenizer.json", {"model": {"type": "BPE", "vocab": {"a": 1, "b": 1}}}, "two tokens have the same id"),
        ("tokenizer.json", {"model": {"type": "Unigram", "vocab": [3]}}, "is not a list of tokens and scores"),
        ("tokenizer.json", {"model": {"type": "Odd", "vocab": {}}}, "the tokenizer cannot be loaded"),
        ("tokenizer.json", {"added_tokens": 3}, "`added_tokens` is not a list"),
        ("tokenizer_config.json", {"eos_token": {"lstrip": True}}, "is given as a token, but it has no content"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": "a"}}, "has the key `x`, which is no id"),
    ],
)
def test_damaged_file_is_refused_in_one_line(tiny: Path, name: str, values: dict[str, Any], fault: str) -> None:
    change(tiny / name, **values)
    message = refusal(tiny)
    assert fault in message and "\n" not in message


def test_vocabulary_of_an_unknown_class_is_refused_with_the_way_on(tiny: Path) -> None:
    split_tokenizer(tiny)
    change(tiny / "tokenizer_config.json", tokenizer_class="OddTokenizer")
    assert "`OddTokenizer`; set `tokenizer_class` in tokenizer_config.json" in refusal(tiny)


def test_only_the_files_of_the_checkpoint_are_read(tiny: Path) -> None:
    found = find_checkpoint(tiny)
    (tiny / "special_tokens_map.json").write_text("not JSON")
    assert "special_tokens_map.json" not in found.files
    assert read_huggingface_tokenizer(found).size == 260


def test_model_without_a_type_is_byte_pair_encoding(tiny: Path, tmp_path: Path) -> None:
    values = json.loads((tiny / "tokenizer.json").read_text())
    del values["model"]["type"]
    (tiny / "tokenizer.json").write_text(json.dumps(values))
    change(tiny / "tokenizer_config.json", add_prefix_space=True)
    check_equal(tiny, tmp_path / "out")


@pytest.mark.parametrize("form", ["list", "object"])
def test_several_chat_templates_are_carried(tiny: Path, tmp_path: Path, form: str) -> None:
    named = {"default": "{{ 1 }}", "tools": "{{ 2 }}"}
    rows = [{"name": name, "template": text} for name, text in named.items()]
    change(tiny / "tokenizer_config.json", chat_template=rows if form == "list" else named)
    assert check_equal(tiny, tmp_path / "out").chat_template == named


def test_end_that_is_read_as_text_keeps_its_id(tiny: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<END>"})
    tokenizer.save_pretrained(tiny)
    change(tiny / "tokenizer_config.json", split_special_tokens=True)
    found = load(tiny)
    assert (found.find("<END>"), found.added) == (260, {})


def test_tokens_that_a_trainer_kept_whole_need_no_merge(tiny: Path, tmp_path: Path) -> None:
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["hello world"] * 9, 400, special_tokens=[f"[NOTE_{note}]" for note in range(60)])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tiny / name).unlink()
    trained.save_model(str(tiny))
    check_equal(tiny, tmp_path / "out")


def test_half_a_character_is_one_line(tiny: Path) -> None:
    path = tiny / "tokenizer_config.json"
    path.write_text('{"eos_token": "\\ud83d"}')
    assert refusal(tiny) == (f"{path}: holds half of a surrogate pair, which is not a character; write the file again")


def test_panic_of_the_library_is_one_line(tiny: Path) -> None:
    (tiny / "tokenizer_config.json").unlink()
    change(tiny / "config.json", tokenizer_class="PreTrainedTokenizerFast")
    change(tiny / "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"})
    assert "the tokenizer cannot be loaded" in refusal(tiny)


def test_empty_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="its vocabulary empty"):
        SourceTokenizer("{}", ids={}, added={"<|endoftext|>": 0}, merges=(), roles={}).list_notes(9)


@pytest.mark.parametrize("default", [True, False])
def test_templates_in_files_of_their_own_are_carried(tiny: Path, tmp_path: Path, default: bool) -> None:
    change(tiny / "tokenizer_config.json", chat_template="{{ 'of the config' }}")
    files = {"additional_chat_templates/tools.jinja": "{{ 2 }}", "additional_chat_templates/r.a.g.jinja": "{{ 3 }}"}
    files |= {"chat_template.jinja": "{{ 1 }}"} if default else {}
    (tiny / "additional_chat_templates").mkdir()
    (tiny / "additional_chat_templates/README.md").write_text("no template")
    for name, text in files.items():
        (tiny / name).write_text(text)
    found = find_checkpoint(tiny)
    assert set(found.files) >= files.keys() and "additional_chat_templates" not in found.ignored
    named = {"tools": "{{ 2 }}", "r.a.g": "{{ 3 }}"} | ({"default": "{{ 1 }}"} if default else {})
    assert check_equal(tiny, tmp_path / "out").chat_template == named
