"""The tokens that begin, end and pad a text: which of the files that name them counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.checkpoint.convert_checkpoint import Converted, convert_checkpoint
from gpt2forge.checkpoint.token_ids import ENDLESS
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, write_huggingface

OUTSIDE = "is outside the vocabulary of 260 tokens and is left out"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "in", make_model())


def name(folder: Path, file: str, **ids: Any) -> None:
    """Let a file name these ids and no others."""
    values = json.loads((folder / file).read_text()) if (folder / file).is_file() else {}
    kept = {key: value for key, value in values.items() if not key.endswith("_token_id")}
    (folder / file).write_text(json.dumps(kept | ids))


def drop_roles(folder: Path) -> None:
    """Take the roles from the tokenizer, and rename its `<|endoftext|>`, which has them by default."""
    (folder / "tokenizer_config.json").unlink()
    for file in folder.glob("special_tokens_map.json"):
        file.unlink()
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<|endoftext|>", "<end>"))


def convert(folder: Path) -> tuple[Converted, dict[str, Any], dict[str, Any]]:
    """Convert a folder; return the result, and the ids in config.json and generation_config.json."""
    out = folder.parent / "out"
    out.mkdir()
    converted = convert_checkpoint(folder, out)
    files = [json.loads((out / file).read_text()) for file in ("config.json", "generation_config.json")]
    config, generation = ({k: v for k, v in values.items() if k.endswith("_token_id")} for values in files)
    return converted, config, generation


@pytest.mark.parametrize(
    ("generation", "config", "end"),
    [
        ({"eos_token_id": 5}, {"eos_token_id": 7}, 5),
        ({"eos_token_id": [7, 5, 7]}, {"eos_token_id": 3}, [7, 5]),
        ({"eos_token_id": [9]}, {"eos_token_id": [3, 4]}, 9),
        ({}, {"eos_token_id": [3, 4]}, [3, 4]),
        ({"eos_token_id": None}, {"eos_token_id": 7}, 7),
        ({}, {"eos_token_id": None}, 0),  # the tokenizer's
        ({}, {}, 0),
    ],
)
def test_generation_config_counts_before_config_and_the_tokenizer(
    folder: Path, generation: dict[str, Any], config: dict[str, Any], end: int | list[int]
) -> None:
    name(folder, "generation_config.json", **generation)
    name(folder, "config.json", **config)
    converted, *files = convert(folder)
    assert [file["eos_token_id"] for file in files] == [end, end]
    assert converted.notes == ()


def test_begin_and_padding_are_carried_by_the_same_rule(folder: Path) -> None:
    name(folder, "generation_config.json", pad_token_id=3)
    name(folder, "config.json", bos_token_id=2, eos_token_id=1, pad_token_id=4)
    ids = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 3}
    assert convert(folder)[1:] == (ids, ids)


def test_no_token_is_invented(folder: Path) -> None:
    name(folder, "generation_config.json")
    name(folder, "config.json")
    drop_roles(folder)
    converted, config, generation = convert(folder)
    assert config == {"bos_token_id": None, "eos_token_id": None}  # GPT2Config would take 50256 for absent ones
    assert generation == {}
    assert ENDLESS in converted.notes


def test_id_outside_the_vocabulary_is_noted_and_the_next_place_counts(folder: Path) -> None:
    name(folder, "generation_config.json", eos_token_id=[50256, 9])
    name(folder, "config.json", bos_token_id=50256, eos_token_id=50256, pad_token_id=-1)
    converted, config, _ = convert(folder)
    assert config == {"bos_token_id": 0, "eos_token_id": 9}
    assert converted.notes == (
        f"`bos_token_id: 50256` in config.json {OUTSIDE}",
        f"`eos_token_id: 50256` in generation_config.json and config.json {OUTSIDE}",
        f"`pad_token_id: -1` in config.json {OUTSIDE}",
    )


def test_default_ids_of_a_small_model_leave_it_without_an_end(folder: Path) -> None:
    for file in ("generation_config.json", "config.json"):
        name(folder, file, bos_token_id=50256, eos_token_id=50256)
    drop_roles(folder)
    converted, config, _ = convert(folder)
    assert config == {"bos_token_id": None, "eos_token_id": None}
    both = "in generation_config.json and config.json"
    assert converted.notes[:3] == (
        f"`bos_token_id: 50256` {both} {OUTSIDE}",
        f"`eos_token_id: 50256` {both} {OUTSIDE}",
        ENDLESS,
    )


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("eos_token_id", "0", "is neither the id of a token nor a list of ids"),
        ("eos_token_id", [0, None], "is neither the id of a token nor a list of ids"),
        ("eos_token_id", True, "is neither the id of a token nor a list of ids"),
        ("bos_token_id", [0], "is not the id of a token"),
        ("pad_token_id", 1.5, "is not the id of a token"),
    ],
)
def test_value_that_is_no_id_is_refused(folder: Path, key: str, value: object, fault: str) -> None:
    name(folder, "generation_config.json", **{key: value})
    with pytest.raises(UserError) as error:
        convert(folder)
    assert str(error.value) == f"{folder / 'generation_config.json'}: `{key}: {value}` {fault}"
