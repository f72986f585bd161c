"""The audit finds what is wrong with a package that really is wrong."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.audit import audit_package
from gpt2forge.graph.files import read_graph
from gpt2forge.graph.package import find_region, find_weights
from gpt2forge.graph.quantize.model import quantize_model
from gpt2forge.graph.quantize.scheme import Scheme
from tests.graph.models import Shape, Tiny, export, make_tiny
from tests.graph.quantize.packages import FLOAT32, SCHEMES, pack

INT8 = SCHEMES["int8-128"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A model whose weights are large enough to be looked at for repetition."""
    return make_tiny(tmp_path_factory.mktemp("wide"), Shape(heads=8, layers=2))


def redirect(folder: Path, name: str, **entries: str) -> None:
    """Change where an initializer says that its bytes lie."""
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    for entry in tensor.external_data:
        entry.value = entries.get(entry.key, entry.value)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def complain(folder: Path, scheme: Scheme) -> str:
    with pytest.raises(UserError) as error:
        audit_package(folder, scheme)
    return str(error.value).removeprefix(f"{folder}/")


def test_weight_outside_the_file_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset="1000000")
    assert complain(tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` is 96 bytes, and `model.onnx_data` does not hold them at 1000000"
    )


def test_weight_of_another_length_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset="0", length="64")
    assert complain(tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` is 96 bytes, and `model.onnx_data` does not hold them at 0"
    )


def test_weight_of_another_file_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    redirect(tmp_path / "out", "h.0.ln_1.bias", location="model.safetensors", offset="0")
    assert complain(tmp_path / "out", FLOAT32) == (
        "model.onnx: `h.0.ln_1.bias` is 96 bytes, and `model.safetensors` does not hold them at 0"
    )


def test_file_that_was_cut_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    data = tmp_path / "out" / "model.onnx_data"
    last = find_region(find_weights(read_graph(tmp_path / "out").graph)["ln_f.bias"])
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size - 1)
    assert complain(tmp_path / "out", FLOAT32) == (
        f"model.onnx: `ln_f.bias` is 96 bytes, and `model.onnx_data` does not hold them at {last.offset}"
    )


def test_overlap_is_found(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    offset = find_region(find_weights(read_graph(tmp_path / "out").graph)["h.0.ln_1.weight"]).offset
    redirect(tmp_path / "out", "h.0.ln_1.bias", offset=str(offset + 8))
    assert complain(tmp_path / "out", FLOAT32) == "model.onnx_data: `h.0.ln_1.weight` and `h.0.ln_1.bias` overlap"


@pytest.mark.parametrize("scheme", ["float32", "int8-128", "int8-channel", "int4-32"])
def test_bytes_that_are_stored_twice_fail_the_build(wide: Tiny, tmp_path: Path, scheme: str) -> None:
    shutil.copytree(wide.weights, tmp_path / "weights")
    weights = find_weights(read_graph(wide.graph).graph)
    first, second = (find_region(weights[f"h.{layer}.mlp.c_fc.weight"]) for layer in (0, 1))
    data = bytearray((tmp_path / "weights" / "model.safetensors").read_bytes())
    data[second.offset : second.end] = data[first.offset : first.end]
    (tmp_path / "weights" / "model.safetensors").write_bytes(data)

    out = tmp_path / "out"
    out.mkdir()
    graph = read_graph(export(tmp_path / "weights", tmp_path / "graph"))
    quantize_model(graph, tmp_path / "weights", SCHEMES[scheme], out, lambda done, total, unit: None)
    ending = {"float32": "", "int8-channel": ".steps"}.get(scheme, ".blocks")
    assert complain(out, SCHEMES[scheme]) == (
        f"model.onnx_data: `h.0.mlp.c_fc.weight{ending}` and `h.1.mlp.c_fc.weight{ending}` hold the same bytes; "
        "are they equal in the checkpoint?"
    )


def test_weights_of_ones_may_repeat(wide: Tiny, tmp_path: Path) -> None:
    shutil.copytree(wide.weights, tmp_path / "weights")
    weights = find_weights(read_graph(wide.graph).graph)
    with (tmp_path / "weights" / "model.safetensors").open("r+b") as file:
        for name in ("h.0.mlp.c_fc.weight", "h.1.mlp.c_fc.weight"):
            file.seek(find_region(weights[name]).offset)
            file.write(np.ones(find_region(weights[name]).length // 4, np.float32).tobytes())
    export(tmp_path / "weights", tmp_path / "graph")
    pack(Tiny(wide.model, wide.shape, tmp_path / "weights", tmp_path / "graph"), tmp_path / "out", FLOAT32)


def test_linear_layer_that_stayed_float32_fails_the_build(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    for node in model.graph:
        if node.name == "h.1.attn.c_proj":
            node.name = "renamed"
    quantize_model(model, tiny.weights, INT8, tmp_path, lambda done, total, unit: None)
    assert complain(tmp_path, INT8) == ("model.onnx: `h.1.attn.c_proj.weight` was to be quantized and is still float32")


def test_table_that_stayed_float32_fails_the_build(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", SCHEMES["int8-float-tables"])
    assert complain(tmp_path / "out", INT8) == "model.onnx: `wte.weight` was to be quantized and is still float32"
