"""config.json, as transformers writes it and as it should not be."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.errors import UserError
from gpt2forge.model.config import ModelConfig, parse_config, read_config

PLAIN = {"vocab_size": 100, "n_positions": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
PATH = Path("config.json")


def refusal(**changes: Any) -> str:
    with pytest.raises(UserError) as error:
        parse_config(PLAIN | changes, PATH)
    return str(error.value)


def test_absent_keys_have_the_values_that_transformers_gives_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PLAIN))
    expected = ModelConfig(100, 16, 12, 3, 2, 48, 1e-5, tied=True, eos_token_id=99, bos_token_id=None)
    assert read_config(tmp_path) == expected
    assert expected.head_width == 4


def test_old_name_of_the_positions_is_understood() -> None:
    values = {key: value for key, value in PLAIN.items() if key != "n_positions"} | {"n_ctx": 16}
    assert parse_config(values, PATH).n_positions == 16


@pytest.mark.parametrize("value", [0, -3, 2.0, True, "2", [2], 1 << 31])
def test_number_that_is_no_count_is_refused(value: object) -> None:
    assert refusal(n_layer=value) == f"config.json: `n_layer: {value}` is not a count; is this a GPT-2?"


@pytest.mark.parametrize("value", [-1, 100, [1, 2], "0", 1.0])
def test_token_that_is_none_is_refused(value: object) -> None:
    assert refusal(eos_token_id=value) == f"config.json: `eos_token_id: {value}` is not the id of one of 100 tokens"


@pytest.mark.parametrize("value", [-1e-5, 1, float("nan"), float("inf"), "1e-5", None])
def test_epsilon_that_is_none_is_refused(value: object) -> None:
    assert refusal(layer_norm_epsilon=value) == (
        f"config.json: `layer_norm_epsilon: {value}` is not a number from 0 to 1"
    )


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    assert refusal(n_head=5) == "config.json: n_embd 12 is not a multiple of n_head 5"


def test_other_model_is_refused() -> None:
    assert refusal(model_type="llama") == "config.json: model_type is `llama`; only `gpt2` can be built"


def test_missing_number_is_named() -> None:
    with pytest.raises(UserError) as error:
        parse_config({}, PATH)
    assert str(error.value) == "config.json: the key `vocab_size` is missing; is this a GPT-2?"
