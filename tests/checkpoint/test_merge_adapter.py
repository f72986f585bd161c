"""A merged adapter gives W + alpha / r * B A, and the ways in which an adapter does not fit end in one line."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.convert_checkpoint import Converted, convert_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.errors import UserError
from tests.checkpoint.adapter_writer import LAYERS, make_products, write_adapter
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface

ALL = tuple(f"h.{layer}.{name}" for layer in range(2) for name in LAYERS)
EMBEDDING, HEAD = "transformer.wte.weight", "lm_head.weight"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "base", make_model())


def convert(base: Path, adapter: Path) -> tuple[dict[str, torch.Tensor], Converted]:
    out = adapter.parent / "out"
    out.mkdir(exist_ok=True)
    converted = convert_checkpoint(base, out, adapter=adapter, wanted=Wanted(adapter=True))
    return GPT2LMHeadModel.from_pretrained(out).state_dict(), converted


def refusal(base: Path, adapter: Path) -> str:
    with pytest.raises(UserError) as error:
        convert(base, adapter)
    assert "\n" not in str(error.value)
    return str(error.value)


def expect(products: dict[str, torch.Tensor], scales: dict[str, float] | None = None, scale: float = 2) -> Any:
    """Return the tensors of the model with products added, computed in float64."""
    state = {name: values.clone() for name, values in make_model().state_dict().items()}
    for name, first in products.items():
        if name.endswith(".lora_A.weight"):
            layer = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            second = products[name.replace("lora_A", "lora_B")]
            product = (scales or {}).get(layer, scale) * (second.double() @ first.double())
            state[f"{layer}.weight"] = state[f"{layer}.weight"].double() + (
                product if layer == "lm_head" else product.T
            )
    return state


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert np.abs(found[name].double().numpy() - values.double().numpy()).max() < 3e-6, name
        if values.dtype == torch.float32:
            assert torch.equal(found[name], values), name


@pytest.mark.parametrize("form", ["safetensors", "bin"])
@pytest.mark.parametrize("fan_in_fan_out", [True, False])
def test_products_are_added_to_every_layer(base: Path, tmp_path: Path, form: str, fan_in_fan_out: bool) -> None:
    products = make_products(*ALL)
    found, converted = convert(base, write_adapter(tmp_path / "lora", products, form, fan_in_fan_out=fan_in_fan_out))
    assert_close(found, expect(products))
    assert converted.notes == ()


def test_layers_without_a_product_stay_bit_for_bit(base: Path, tmp_path: Path) -> None:
    products = make_products("h.1.attn.c_attn")
    found, _ = convert(base, write_adapter(tmp_path / "lora", products, target_modules="all-linear"))
    assert_close(found, expect(products))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_adapter_of_a_narrow_type_is_merged_in_float32(base: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    products = {name: values.to(dtype) for name, values in make_products(*ALL).items()}
    found, _ = convert(base, write_adapter(tmp_path / "lora", products))
    assert_close(found, expect(products))


def test_ranks_and_alphas_of_single_layers_count(base: Path, tmp_path: Path) -> None:
    products = make_products("h.0.attn.c_attn", "h.1.attn.c_attn", "h.0.mlp.c_fc", ranks={"h.1.attn.c_attn": 2})
    adapter = write_adapter(
        tmp_path / "lora",
        products,
        rank_pattern={"^transformer.h.1.attn.c_attn": 2},
        alpha_pattern={"c_fc": 20, "h.1.attn.c_attn": 3, r"h\.0\.attn\.c_attn": 5},
    )
    scales = {"transformer.h.0.mlp.c_fc": 5.0, "transformer.h.1.attn.c_attn": 1.5, "transformer.h.0.attn.c_attn": 1.25}
    assert_close(convert(base, adapter)[0], expect(products, scales))


def test_rank_stabilized_scale_divides_by_the_root(base: Path, tmp_path: Path) -> None:
    products = make_products("h.0.attn.c_proj", ranks={"h.0.attn.c_proj": 3})
    adapter = write_adapter(tmp_path / "lora", products, r=3, use_rslora=True)
    assert_close(convert(base, adapter)[0], expect(products, scale=8 / math.sqrt(3)))


def test_modules_to_save_and_biases_take_the_place_of_the_models(base: Path, tmp_path: Path) -> None:
    saved = {
        "transformer.ln_f.weight": torch.randn(8),
        "transformer.h.0.attn.c_attn.base_layer.bias": torch.randn(24),
        "lm_head.weight": torch.randn(260, 8),
    }
    products = make_products("h.0.attn.c_attn")
    tensors = products | {f"base_model.model.{name}": values for name, values in saved.items()}
    found, _ = convert(base, write_adapter(tmp_path / "lora", tensors, modules_to_save=["lm_head", "ln_f"], bias="all"))
    expected = expect(products) | {name.replace(".base_layer", ""): values for name, values in saved.items()}
    assert_close(found, expected)
    assert not torch.equal(found[HEAD], found[EMBEDDING])


def test_head_with_a_product_is_no_longer_tied(base: Path, tmp_path: Path) -> None:
    products = make_products("lm_head")
    found, _ = convert(base, write_adapter(tmp_path / "lora", products, target_modules=["lm_head"]))
    assert_close(found, expect(products))


def test_embedding_of_modules_to_save_leaves_the_head_alone(base: Path, tmp_path: Path) -> None:
    embedding = torch.randn(260, 8)
    adapter = write_adapter(tmp_path / "lora", {f"base_model.model.{EMBEDDING}": embedding}, modules_to_save=["wte"])
    assert_close(convert(base, adapter)[0], make_model().state_dict() | {EMBEDDING: embedding})


def test_resized_embeddings_change_the_vocabulary_and_are_noted(base: Path, tmp_path: Path) -> None:
    embedding = torch.randn(263, 8)
    tensors = {f"base_model.model.{name}": embedding.clone() for name in (EMBEDDING, HEAD)}
    found, converted = convert(base, write_adapter(tmp_path / "lora", tensors))
    assert_close(found, make_model().state_dict() | {EMBEDDING: embedding, HEAD: embedding})
    assert converted.notes == (
        "the adapter has embeddings of 263 tokens, the checkpoint of 260; its tokenizer must have them too",
    )
    write_adapter(tmp_path / "lora", {f"base_model.model.{EMBEDDING}": embedding})
    assert "no LM head of as many" in refusal(base, tmp_path / "lora")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type is `IA3`; only `LORA` can be merged"),
        ({"use_dora": True}, "`use_dora: True` cannot be merged here; merge it with peft's `model.merge_and_unload()`"),
        ({"lora_bias": True}, "`lora_bias: True` cannot be merged here"),
        ({"init_lora_weights": "pissa"}, "`init_lora_weights: pissa` cannot be merged here"),
        ({"trainable_token_indices": [1]}, "`trainable_token_indices: [1]` cannot be merged here"),
        ({"something_of_tomorrow": True}, "`something_of_tomorrow: True` cannot be merged here"),
        ({"rank_pattern": {"(a+)+$": 2}}, "`rank_pattern` has `(a+)+$`, which is no name of a layer"),
        ({"rank_pattern": [1]}, "`rank_pattern: [1]` is no mapping"),
        ({"r": 0}, "`r: 0` is not a rank"),
        ({"r": 2}, "`base_model.model.transformer.h.0.attn.c_attn.lora_A.weight` has the shape [4, 8]"),
        ({"lora_alpha": "8"}, "`lora_alpha: 8` is not a number"),
    ],
)
def test_configuration_that_cannot_be_merged_is_refused(
    base: Path, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    adapter = write_adapter(tmp_path / "lora", make_products("h.0.attn.c_attn"), **config)
    assert message in refusal(base, adapter)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("h.0.attn.c_attn.lora_magnitude_vector", (24,), "which cannot be merged here; merge it with peft's"),
        ("wte.lora_embedding_A", (4, 260), "which cannot be merged here"),
        ("h.0.mlp.c_fc.lora_A.weight", (4, 8), "`h.0.mlp.c_fc.lora_B.weight` is missing"),
        ("h.7.ln_1.weight", (8,), "`base_model.model.transformer.h.7.ln_1.weight`, which the checkpoint does not have"),
        ("ln_f.weight", (9,), "has the shape [9]"),
        ("wte.weight", (8,), "has the shape [8]"),
    ],
)
def test_tensor_that_does_not_fit_is_refused_by_name(
    base: Path, tmp_path: Path, name: str, shape: tuple[int, ...], message: str
) -> None:
    tensors = make_products("h.0.attn.c_attn") | {f"base_model.model.transformer.{name}": torch.ones(shape)}
    assert message in refusal(base, write_adapter(tmp_path / "lora", tensors))


def test_layers_that_the_checkpoint_lacks_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "lora", make_products("h.5.attn.c_attn"))
    assert "but the checkpoint has no such linear layer" in refusal(base, adapter)


def test_incomplete_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "lora", {})
    (adapter / "adapter_model.safetensors").unlink()
    assert refusal(base, adapter) == (
        f"{adapter}: no adapter; `adapter_config.json` and `adapter_model.safetensors` or `adapter_model.bin` of peft "
        "must be there"
    )


def test_adapter_is_never_ignored(base: Path, tmp_path: Path) -> None:
    way = "the adapter's folder in `source.adapter`, or merge it with peft's `model.merge_and_unload()`, and save the model"
    alone = write_adapter(tmp_path / "lora", make_products(*ALL))
    with pytest.raises(UserError) as error:
        convert_checkpoint(alone, tmp_path)
    assert str(error.value) == (
        f"{alone}: `adapter_config.json` shows only an adapter, not the model; name the model in `source.checkpoint` "
        f"and {way}"
    )
    write_adapter(base, make_products(*ALL))
    with pytest.raises(UserError) as error:
        convert_checkpoint(base, tmp_path)
    assert str(error.value) == f"{base}: `adapter_config.json` shows an adapter beside the weights; name {way}"
    assert_close(convert(base, base)[0], expect(make_products(*ALL)))


@pytest.mark.parametrize("place", ["generation_config.json", "config.json", "tokenizer"])
def test_end_of_text_may_be_a_token_that_the_adapter_brings(base: Path, tmp_path: Path, place: str) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"})
    tokenizer.save_pretrained(tmp_path / "lora")
    for name in ("generation_config.json", "config.json"):
        values = json.loads((base / name).read_text())
        ids = {"eos_token_id": 260 if name == place else None, "bos_token_id": None}
        (base / name).write_text(json.dumps(values | ids))
    tensors = {f"base_model.model.{name}": torch.randn(262, 8) for name in (EMBEDDING, HEAD)}
    adapter = write_adapter(tmp_path / "lora", tensors)
    (tmp_path / "out").mkdir()
    converted = convert_checkpoint(
        base, tmp_path / "out", other=adapter, adapter=adapter, wanted=Wanted(adapter=True, own_tokenizer=False)
    )
    config = read_config(tmp_path / "out")
    assert (config.ends, config.bos_token_id) == ((260,), 261)
    assert not [note for note in converted.notes if "outside" in note or "no token ends" in note]


@pytest.mark.parametrize("matrix", ["lora_A", "lora_B"])
def test_value_of_the_adapter_that_is_not_finite_is_blamed_on_it(base: Path, tmp_path: Path, matrix: str) -> None:
    products = make_products("h.0.attn.c_attn")
    name = f"base_model.model.transformer.h.0.attn.c_attn.{matrix}.weight"
    products[name][0, 0] = math.nan
    adapter = write_adapter(tmp_path / "lora", products)
    assert refusal(base, adapter) == (
        f"{adapter / 'adapter_model.safetensors'}: `{name}` holds values that are not finite; start from an earlier adapter"
    )
