"""Tests that the audit finds each fault of a damaged package."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.quantize.audit import audit_package
from gpt2forge.quantize.data_file import find_region, find_weights
from gpt2forge.quantize.quantize_model import quantize_model
from gpt2forge.quantize.scheme import Scheme, Storage
from tests.graph.models import Shape, Tiny, export, make_tiny
from tests.quantize.packages import FLOAT32, SCHEMES, pack

INT8 = SCHEMES["int8-128"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Make a model whose weights are large enough to be checked for repetition."""
    return make_tiny(tmp_path_factory.mktemp("wide"), Shape(heads=8, layers=2))


def redirect(folder: Path, name: str, **entries: str) -> None:
    """Change the external data of an initializer."""
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    for entry in tensor.external_data:
        entry.value = entries.get(entry.key, entry.value)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def complain(tiny: Tiny, folder: Path, scheme: Scheme) -> str:
    with pytest.raises(UserError) as error:
        audit_package(folder, scheme, find_weights(read_graph(tiny.graph).graph), tiny.weights)
    return str(error.value).removeprefix(f"{folder}/")


def test_weight_outside_the_file_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset="1000000")
    assert complain(tiny, tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` has 96 bytes, and `model.onnx_data` does not hold them at byte 1000000"
    )


def test_weight_of_another_length_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset="0", length="64")
    assert complain(tiny, tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` has 96 bytes, and `model.onnx_data` does not hold them at byte 0"
    )


def test_weight_of_another_file_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", location="model.safetensors", offset="0")
    assert complain(tiny, tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` has 96 bytes, and `model.safetensors` does not hold them at byte 0"
    )


def test_file_that_was_cut_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    data = tmp_path / "out" / "model.onnx_data"
    last = find_region(find_weights(read_graph(tmp_path / "out").graph)["ln_f.bias"])
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size - 1)
    assert complain(tiny, tmp_path / "out", FLOAT32) == (
        f"model.onnx: `ln_f.bias` has 96 bytes, and `model.onnx_data` does not hold them at byte {last.offset}"
    )


def test_overlap_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    offset = find_region(find_weights(read_graph(tmp_path / "out").graph)["h.0.ln_1.weight"]).offset
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset=str(offset + 8))
    assert complain(tiny, tmp_path / "out", FLOAT32) == "model.onnx_data: `h.0.ln_1.weight` and `h.0.ln_1.bias` overlap"


ENDINGS = {"float32": "", "int8-128": ".blocks", "int8-channel": ".steps", "int4-32": ".blocks"}


@pytest.mark.parametrize("scheme", ENDINGS)
def test_bytes_of_one_weight_in_the_place_of_another_fail_the_build(wide: Tiny, tmp_path: Path, scheme: str) -> None:
    pack(wide, tmp_path / "out", SCHEMES[scheme])
    names = [f"h.{layer}.mlp.c_fc.weight{ENDINGS[scheme]}" for layer in (0, 1)]
    stored = find_weights(read_graph(tmp_path / "out").graph)
    first, second = (find_region(stored[name]) for name in names)
    data = bytearray((tmp_path / "out" / "model.onnx_data").read_bytes())
    data[second.offset : second.end] = data[first.offset : first.end]
    (tmp_path / "out" / "model.onnx_data").write_bytes(data)
    assert complain(wide, tmp_path / "out", SCHEMES[scheme]) == (
        f"model.onnx_data: `{names[0]}` and `{names[1]}` hold the same bytes, which the checkpoint does not hold twice"
    )


def test_weight_that_is_stored_twice_fails_the_build(wide: Tiny, tmp_path: Path) -> None:
    model = read_graph(wide.graph)
    once = find_weights(model.graph)["wte.weight"]
    twice = ir.ExternalTensor(once.location, once.offset, once.length, once.dtype, shape=once.shape, name="head")
    model.graph.register_initializer(ir.Value(name="head", const_value=twice))
    model.graph.node("lm_head").replace_input_with(1, model.graph.initializers["head"])
    write_graph(model, tmp_path)
    copy = replace(wide, graph=tmp_path)
    (tmp_path / "out").mkdir()
    quantize_model(read_graph(copy.graph), wide.weights, FLOAT32, tmp_path / "out", lambda done, total, unit: None)
    assert complain(copy, tmp_path / "out", FLOAT32) == (
        "model.onnx_data: `wte.weight` and `head` hold the same bytes, which the checkpoint does not hold twice"
    )


@pytest.mark.parametrize("scheme", ENDINGS)
def test_layers_that_are_equal_may_be_built(wide: Tiny, tmp_path: Path, scheme: str) -> None:
    shutil.copytree(wide.weights, tmp_path / "weights")
    weights = find_weights(read_graph(wide.graph).graph)
    data = bytearray((tmp_path / "weights" / "model.safetensors").read_bytes())
    for name in (name for name in weights if name.startswith("h.1.")):
        first, second = (find_region(weights[each]) for each in (name.replace("h.1.", "h.0."), name))
        data[second.offset : second.end] = data[first.offset : first.end]
    (tmp_path / "weights" / "model.safetensors").write_bytes(data)
    export(tmp_path / "weights", tmp_path / "graph")
    equal = replace(wide, weights=tmp_path / "weights", graph=tmp_path / "graph")
    rows = {row.name: row for row in pack(equal, tmp_path / "out", SCHEMES[scheme])}
    for name in (name for name in rows if name.startswith("h.1.")):
        assert rows[name].error == rows[name.replace("h.1.", "h.0.")].error


def test_weights_of_ones_may_repeat(wide: Tiny, tmp_path: Path) -> None:
    shutil.copytree(wide.weights, tmp_path / "weights")
    weights = find_weights(read_graph(wide.graph).graph)
    with (tmp_path / "weights" / "model.safetensors").open("r+b") as file:
        for name in ("h.0.mlp.c_fc.weight", "h.1.mlp.c_fc.weight"):
            file.seek(find_region(weights[name]).offset)
            file.write(np.ones(find_region(weights[name]).length // 4, np.float32).tobytes())
    export(tmp_path / "weights", tmp_path / "graph")
    pack(replace(wide, weights=tmp_path / "weights", graph=tmp_path / "graph"), tmp_path / "out", FLOAT32)


def test_linear_layer_that_stayed_float32_fails_the_build(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    for node in model.graph:
        if node.name == "h.1.attn.c_proj":
            node.name = "renamed"
    quantize_model(model, tiny.weights, INT8, tmp_path, lambda done, total, unit: None)
    assert complain(tiny, tmp_path, INT8) == (
        "model.onnx: `h.1.attn.c_proj.weight` was to be quantized and is still float32"
    )


def test_table_that_stayed_float32_fails_the_build(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", SCHEMES["int8-float-tables"])
    assert complain(tiny, tmp_path / "out", INT8) == "model.onnx: `wte.weight` was to be quantized and is still float32"


def test_layer_that_was_to_be_skipped_may_stay_float32(tiny: Tiny, tmp_path: Path) -> None:
    skipping = replace(INT8, skip=("h.1.attn.c_proj",))
    pack(tiny, tmp_path / "out", skipping)
    sources = find_weights(read_graph(tiny.graph).graph)
    audit_package(tmp_path / "out", skipping, sources, tiny.weights)
    assert complain(tiny, tmp_path / "out", INT8) == (
        "model.onnx: `h.1.attn.c_proj.weight` was to be quantized and is still float32"
    )


def test_positions_that_stayed_float32_fail_the_build(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", INT8)
    assert complain(tiny, tmp_path / "out", replace(INT8, positions=Storage(16, None))) == (
        "model.onnx: `wpe.weight` was to be quantized and is still float32"
    )
