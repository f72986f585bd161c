"""Tests of the section `quantization:`, and of the directory that the stage writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.graph.model_file import read_graph
from gpt2forge.quantize.data_file import find_region, find_weights
from gpt2forge.quantize.genai import list_notes, make_genai_config
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import has_wide_channels, open_package
from gpt2forge.stages.quantize import resolve_scheme
from gpt2forge.stages.stage import Inputs, Target
from tests.graph.models import Shape, Tiny, distance, make_tiny, torch_logits
from tests.stages.run_quantize import run_quantize, see

ANY, VNNI = TargetSection(device="cpu"), TargetSection(device="cpu", cpu="vnni")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape())


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ({}, ("none", None, "none")),
        ({"scheme": "none"}, ("none", None, "none")),
        ({"scheme": "int8"}, ("int8", 128, "int8")),
        ({"scheme": "int4"}, ("int4", 32, "int8")),
        ({"scheme": "int8", "granularity": "channel"}, ("int8", "channel", "int8")),
        ({"scheme": "int4", "granularity": 64, "embeddings": "none"}, ("int4", 64, "none")),
        ({"embeddings": "int4"}, ("none", None, "int4")),
    ],
)
def test_what_is_not_given_is_filled_in(given: dict[str, Any], filled: tuple[Any, ...]) -> None:
    section = Quantization(**given).normalize()
    assert (section.scheme, section.granularity, section.embeddings) == filled
    assert Quantization(**section.model_dump()) == section.normalize() == section


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({"scheme": "int2"}, "scheme", "Input should be 'none', 'int8', 'int4' or 'float16'"),
        ({"scheme": "int8", "granularity": 48}, "granularity", "Input should be 16, 32, 64, 128, 256 or 'channel'"),
        ({"scheme": "int8", "embeddings": "int2"}, "embeddings", "Input should be 'none', 'int8', 'int4' or 'float16'"),
        ({"kv_cache": "int4"}, "kv_cache", "Input should be 'float32' or 'int8'"),
        (
            {"scheme": "int8", "embeddings_granularity": "channel"},
            "embeddings_granularity",
            "Input should be 16, 32, 64, 128 or 256",
        ),
    ],
)
def test_wrong_value_is_an_error_at_its_key(given: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Quantization(**given)
    (fault,) = error.value.errors()
    assert (fault["loc"], fault["msg"].removeprefix("Value error, ")) == ((key,), message)


@pytest.mark.parametrize(
    ("given", "default"),
    [
        ({"scheme": "int8"}, 128),
        ({"scheme": "int8", "granularity": 32}, 32),
        ({"scheme": "int8", "granularity": "channel"}, 128),
        ({"scheme": "int4", "granularity": 64}, 128),
        ({"scheme": "int4", "granularity": 64, "embeddings": "int4"}, 64),
        ({"scheme": "int8", "granularity": 64, "embeddings": "int4"}, 32),
        ({"embeddings": "int4"}, 32),
    ],
)
def test_block_of_the_embeddings_is_kept_where_it_is_not_the_default(given: dict[str, Any], default: int) -> None:
    for block in (16, 32, 64, 128, 256):
        section = Quantization(**given, embeddings_granularity=block).normalize()
        assert section.embeddings_granularity == (None if block == default else block)
        assert Quantization(**section.model_dump()) == section
    table = resolve_scheme(see(Quantization(**given)), "any").table
    assert table is not None
    assert table.block == default


@pytest.mark.parametrize(
    ("scheme", "override", "filled"),
    [
        ({"scheme": "int8", "granularity": 64}, {"bits": 8}, (8, 64)),
        ({"scheme": "int8", "granularity": 64}, {"bits": 4}, (4, 32)),
        ({"scheme": "int4", "granularity": 64}, {"bits": 4}, (4, 64)),
        ({"scheme": "int4", "granularity": 64}, {"bits": 8}, (8, 128)),
        ({"scheme": "int8", "granularity": "channel"}, {"bits": 8}, (8, "channel")),
        ({"scheme": "int4"}, {"bits": 8, "granularity": "channel"}, (8, "channel")),
        ({"scheme": "int4"}, {"bits": 8, "granularity": 16}, (8, 16)),
    ],
)
def test_granularity_of_an_override_is_filled_in(
    scheme: dict[str, Any], override: dict[str, Any], filled: tuple[Any, ...]
) -> None:
    section = Quantization(**scheme, overrides={"h.0.*": override}).normalize()
    assert section.overrides is not None
    assert (section.overrides["h.0.*"].bits, section.overrides["h.0.*"].granularity) == filled
    assert Quantization(**section.model_dump()) == section


def test_what_means_the_same_is_the_same() -> None:
    plain = Quantization(scheme="int4").normalize()
    assert Quantization(scheme="int4", overrides={}, skip=[], embeddings_granularity=128).normalize() == plain
    repeated, sorted_once = (
        Quantization(scheme="int4", skip=skip) for skip in (["h.1.*", "h.0.*", "h.1.*"], ["h.0.*", "h.1.*"])
    )
    assert repeated.normalize() == sorted_once.normalize()
    one, other = {"h.0.*": {"bits": 8}}, {"h.1.*": {"bits": 8, "granularity": 128}}
    sections = (Quantization(scheme="int4", overrides=given) for given in ({**one, **other}, {**other, **one}))
    first, second = (json.dumps(section.normalize().model_dump(), sort_keys=True) for section in sections)
    assert first == second
    assert Quantization(scheme="none", overrides={}, skip=[]).normalize() == Quantization().normalize()


def quantize(tiny: Tiny, out: Path, section: Quantization, target: Target = ANY) -> dict[str, Any]:
    out.mkdir()
    return dict(run_quantize(Inputs({"weights": tiny.weights, "graph": tiny.graph}), section, target, out))


def test_writes_the_published_directory(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    metrics = quantize(tiny, out, Quantization(scheme="int8", granularity=32))
    names = {path.name for path in out.iterdir()}
    assert {"model.onnx", "model.onnx_data", "config.json", "genai_config.json", "forge.json"} <= names
    assert metrics["bytes"] == {
        "package": sum(path.stat().st_size for path in out.iterdir()),
        "float32": 4 * sum(weight.numel() for weight in tiny.model.parameters()),
    }
    assert (out / "config.json").read_bytes() == (tiny.weights / "config.json").read_bytes()
    rows = {row["name"]: row for row in json.loads((out / "forge.json").read_text())["tensors"]}
    assert rows["wte.weight"]["bits"] == 8
    assert rows["wpe.weight"] == {
        "name": "wpe.weight",
        "bits": 16,
        "block": None,
        "bytes": 48 * 24 * 2,
        "bits_per_weight": 16.0,
        "error": pytest.approx(2.1e-4, rel=0.1),
    }
    ids = tiny.ids(2, 6)
    session = open_package(out, threads=1)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(2)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 0.03


def test_genai_config_holds_the_shape_of_the_model(tiny: Tiny, tmp_path: Path) -> None:
    quantize(tiny, tmp_path / "out", Quantization(scheme="none"))
    model = json.loads((tmp_path / "out" / "genai_config.json").read_text())["model"]
    assert (model["type"], model["context_length"], model["vocab_size"], model["eos_token_id"]) == (
        "decoder",
        48,
        101,
        100,
    )
    decoder = model["decoder"]
    sizes = [decoder[key] for key in ("head_size", "hidden_size", "num_attention_heads", "num_hidden_layers")]
    assert sizes == [8, 24, 3, 2]


def test_genai_config_takes_how_to_sample_from_the_model_and_chooses_nothing_else() -> None:
    config = ModelConfig(101, 48, 24, 3, 2, 96, 1e-5, tied=True, ends=(7, 0))
    search = make_genai_config(config, {}, True, "cpu")["search"]
    assert search["do_sample"] is False
    assert "top_k" not in search  # 1 would make a caller's `do_sample` greedy
    generation = {"do_sample": True, "temperature": 0.7, "top_k": 40, "top_p": 0.9, "repetition_penalty": 1.2}
    odd = {"top_p": 1, "temperature": 0, "top_k": "40", "repetition_penalty": None, "max_length": 20, "num_beams": 4}
    assert make_genai_config(config, generation, True, "cpu")["search"] == search | generation
    assert make_genai_config(config, odd, True, "cpu")["search"] == search | {"top_p": 1}


@pytest.mark.parametrize(
    ("tokens", "ids", "note"),
    [
        ({"ends": (7, 0), "bos_token_id": 3}, {"bos_token_id": 3, "eos_token_id": [7, 0], "pad_token_id": 7}, None),
        ({"ends": (7,), "pad_token_id": 2}, {"eos_token_id": 7, "pad_token_id": 2}, None),
        ({"pad_token_id": 2}, {"pad_token_id": 2}, "the token 2, which pads a text"),
        ({}, {"pad_token_id": 100}, "the token 100, the last of the vocabulary"),
    ],
)
def test_genai_config_names_no_end_that_the_model_lacks(
    tokens: dict[str, Any], ids: dict[str, Any], note: str | None
) -> None:
    config = ModelConfig(101, 48, 24, 3, 2, 96, 1e-5, tied=True, **tokens)
    written = make_genai_config(config, {}, True, "cpu")
    assert {key: value for key, value in written["model"].items() if key.endswith("_token_id")} == ids
    assert written["search"]["min_length"] == (0 if note is None else 48)  # 48: the end is never written
    assert [told.partition("never write ")[2] for told in list_notes(config)] == ([] if note is None else [note])


@pytest.mark.parametrize(("target", "bits", "largest"), [(VNNI, 8, 127), (ANY, 7, 63)])
def test_channels_have_the_bits_that_the_processor_multiplies_exactly(
    tiny: Tiny, tmp_path: Path, target: Target, bits: int, largest: int
) -> None:
    out = tmp_path / "out"
    quantize(tiny, out, Quantization(scheme="int8", granularity="channel"), target)
    rows = {row["name"]: row for row in json.loads((out / "forge.json").read_text())["tensors"]}
    assert (rows["h.0.mlp.c_fc.weight"]["bits"], rows["h.0.mlp.c_fc.weight"]["block"]) == (bits, None)
    steps = find_weights(read_graph(out).graph)["h.0.mlp.c_fc.weight.steps"]
    region = find_region(steps)
    values = np.fromfile(out / "model.onnx_data", np.int8, region.length, offset=region.offset)
    assert np.abs(values.astype(int)).max() == largest
    assert has_wide_channels(out) is (bits == 8)


def test_every_key_reaches_the_package(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    section = Quantization(
        scheme="int4",
        embeddings_granularity=16,
        positions="float16",
        overrides={"h.*.mlp.c_proj": {"bits": 8, "granularity": 64}, "h.1.mlp.c_fc": {"bits": 4, "granularity": 16}},
        skip=["h.0.attn.*"],
    )
    quantize(tiny, out, section)
    rows = {row["name"]: row for row in json.loads((out / "forge.json").read_text())["tensors"]}
    found = {name: (row["bits"], row["block"]) for name, row in rows.items() if row["bytes"] > 500}
    assert found == {
        "wte.weight": (8, 16),
        "wpe.weight": (16, None),
        "h.0.attn.c_attn.weight": (32, None),
        "h.0.attn.c_proj.weight": (32, None),
        "h.0.mlp.c_fc.weight": (4, 32),
        "h.0.mlp.c_proj.weight": (8, 64),
        "h.1.attn.c_attn.weight": (4, 32),
        "h.1.mlp.c_fc.weight": (4, 16),
        "h.1.mlp.c_proj.weight": (8, 64),
    }
    assert rows["h.1.attn.c_proj.weight"]["bits"] == 4
    assert rows["wpe.weight"]["bits_per_weight"] == 16
    ids = tiny.ids(2, 6)
    session = open_package(out, threads=1)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(2)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 0.3


def test_progress_ends_with_all_bytes(tiny: Tiny, tmp_path: Path) -> None:
    heard: list[tuple[int, int, str]] = []
    out = tmp_path / "out"
    out.mkdir()
    inputs = Inputs(
        {"weights": tiny.weights, "graph": tiny.graph}, lambda done, total, unit: heard.append((done, total, unit))
    )
    run_quantize(inputs, Quantization(scheme="int4"), ANY, out)
    size = 4 * sum(weight.numel() for weight in tiny.model.parameters())
    assert heard[-1] == (size, size, "B")
    assert np.all(np.diff([done for done, _, _ in heard]) > 0)
