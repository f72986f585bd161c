"""config.json as transformers writes it, and the message for each fault in it."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2Config
from transformers.activations import ACT2FN

from gpt2forge.checkpoint.config import ACTIVATIONS, SECOND_NAMES, ModelConfig, parse_config, read_config
from gpt2forge.errors import UserError

PLAIN = {"vocab_size": 100, "n_positions": 16, "n_embd": 12, "n_head": 3, "n_layer": 2}
PATH = Path("config.json")
TOKENS = {"bos_token_id", "ends"}


def refusal(**changes: Any) -> str:
    with pytest.raises(UserError) as error:
        parse_config(PLAIN | changes, PATH)
    return str(error.value)


def test_absent_keys_have_the_values_that_transformers_gives_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PLAIN))
    expected = ModelConfig(100, 16, 12, 3, 2, 48, 1e-5, tied=True)
    assert read_config(tmp_path) == expected
    assert expected.head_width == 4
    ours = {field.name for field in fields(ModelConfig)} - {"tied", "n_inner"}
    assert {name: getattr(GPT2Config(**PLAIN), name) for name in ours - TOKENS} == {
        name: getattr(expected, name) for name in ours - TOKENS
    }


def test_old_name_of_the_positions_is_understood() -> None:
    values = {key: value for key, value in PLAIN.items() if key != "n_positions"} | {"n_ctx": 16}
    assert parse_config(values, PATH).n_positions == 16


@pytest.mark.parametrize("value", [0, -3, 2.0, True, "2", [2], 1 << 31])
def test_number_that_is_no_count_is_refused(value: object) -> None:
    assert refusal(n_layer=value) == f"config.json: `n_layer: {value}` is not a count; is this a GPT-2?"


@pytest.mark.parametrize("value", [{"id": 1}, "0", 1.0])
def test_token_that_is_none_is_refused(value: object) -> None:
    fault = "is neither the id of a token nor a list of ids"
    assert refusal(eos_token_id=value) == f"config.json: `eos_token_id: {value}` {fault}"


@pytest.mark.parametrize(("value", "ends"), [(99, (99,)), ([7, 0, 7], (7, 0)), ([100, 5], (5,)), (50256, ()), (-1, ())])
def test_each_id_of_the_vocabulary_ends_a_text(value: object, ends: tuple[int, ...]) -> None:
    assert parse_config(PLAIN | {"eos_token_id": value}, PATH).ends == ends


@pytest.mark.parametrize("value", [-1e-5, 1, float("nan"), float("inf"), "1e-5", None])
def test_epsilon_that_is_none_is_refused(value: object) -> None:
    assert refusal(layer_norm_epsilon=value) == (
        f"config.json: `layer_norm_epsilon: {value}` is not a number from 0 to 1"
    )


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    assert refusal(n_head=5) == "config.json: n_embd 12 is not a multiple of n_head 5"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("add_cross_attention", True, "`add_cross_attention: true` cannot be built; only `false` can"),
        ("is_causal", False, "`is_causal: false` cannot be built; only `true` can"),
        (
            "quantization_config",
            {"bits": 4},
            "the weights are quantized by an unknown method; start from the model before that, in float32, float16 or "
            "bfloat16: `quantization:` of the recipe quantizes it",
        ),
        *(
            (
                "activation_function",
                value,
                f"`activation_function: {value}` cannot be built; only `gelu_new`, `gelu`, `silu`, `relu`, `tanh` can",
            )
            for value in ("quick_gelu", "gelu_10", "xielu", "GELU", None, 3, ["relu"])
        ),
        *(
            (key, value, f"`{key}: {json.dumps(value)}` is neither `true` nor `false`")
            for key in ("scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn")
            for value in (1, None, "false")
        ),
    ],
)
def test_variant_that_is_not_known_is_refused_by_name(key: str, value: object, message: str) -> None:
    assert refusal(**{key: value}) == f"config.json: {message}"


def test_activation_is_known_by_every_name_that_transformers_has_for_it() -> None:
    samples = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    for name, same in ACTIVATIONS.items():
        torch.testing.assert_close(ACT2FN[name](samples), ACT2FN[same](samples), rtol=0, atol=1e-8)
        assert parse_config(PLAIN | {"activation_function": name}, PATH).activation_function == same


def test_no_other_activation_of_transformers_is_one_that_is_known() -> None:
    samples = torch.linspace(-30, 30, 6001)
    for name in ACT2FN.keys() - ACTIVATIONS.keys() - {"prelu", "xielu"}:  # these two hold weights of their own
        for known in ACTIVATIONS:
            assert not torch.allclose(ACT2FN[name](samples), ACT2FN[known](samples)), (name, known)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("n_embd", "hidden_size", 12),
        ("n_positions", "max_position_embeddings", 16),
        ("n_head", "num_attention_heads", 3),
        ("n_layer", "num_hidden_layers", 2),
    ],
)
def test_second_name_of_a_number_is_understood_and_must_not_differ(first: str, second: str, value: int) -> None:
    assert GPT2Config.attribute_map[second] == first
    alone = {key: given for key, given in PLAIN.items() if key != first} | {second: value}
    assert parse_config(alone, PATH) == parse_config(PLAIN | {second: value}, PATH) == parse_config(PLAIN, PATH)
    assert refusal(**{second: 1}) == (
        f"config.json: `{first}: {value}` and `{second}: 1` are two names of one key; keep the right one"
    )


def test_every_second_name_of_transformers_is_known() -> None:
    assert {second: first for first, second in SECOND_NAMES.items()} == GPT2Config.attribute_map


def test_other_model_is_refused() -> None:
    assert refusal(model_type="llama") == (
        "config.json: model_type is `llama`, Llama; only `gpt2` can be built; "
        "`optimum-cli export onnx --model FOLDER OUT` may export it"
    )


def test_missing_number_is_named() -> None:
    with pytest.raises(UserError) as error:
        parse_config({}, PATH)
    assert str(error.value) == "config.json: the key `vocab_size` is missing; is this a GPT-2?"
