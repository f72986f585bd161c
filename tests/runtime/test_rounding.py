"""Packages that treat each row alone read several tokens as they read one, and their texts need no second reading."""

from pathlib import Path

import pytest

from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.quantize.kv_cache import quantize_cache
from gpt2forge.quantize.quantize_model import quantize_model
from gpt2forge.quantize.scheme import Scheme
from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.rounding import EXACT, FLOATS, INTEGERS, find_rounding, measure_rounding
from gpt2forge.runtime.sampling import GREEDY
from tests.graph.models import Tiny
from tests.quantize.packages import FLOAT32, SCHEMES, pack
from tests.quantize.test_kv_cache import find_magnitudes
from tests.runtime.test_speculation import compare


def pack_cached(tiny: Tiny, out: Path, scheme: Scheme) -> Path:
    """Write a package with an int8 cache."""
    out.mkdir()
    model = read_graph(tiny.graph)
    fuse(model, tuple(PASSES))
    quantize_cache(model, find_magnitudes(tiny))
    quantize_model(model, tiny.weights, scheme, out, lambda done, total, unit: None)
    return out


@pytest.mark.parametrize("name", ["int8-16", "int4-all"])
def test_text_of_a_package_whose_rows_are_alone_is_read_once(tiny: Tiny, tmp_path: Path, name: str) -> None:
    """Processors may differ in their kernels, so the package may not be exact here; the text must be right anyway."""
    decoder = open_decoder(pack_cached(tiny, tmp_path / "out", SCHEMES[name]), threads=1)
    assert decoder.arithmetic == EXACT
    text = compare(decoder, 44, Chooser(Edits(), GREEDY), wrong=0.0)
    assert text.passes < (16 if decoder.rounding == EXACT else 100)


def test_larger_blocks_and_float_caches_are_not_exact(tiny: Tiny, tmp_path: Path) -> None:
    cached = pack_cached(tiny, tmp_path / "cached", SCHEMES["int8-128"])
    pack(tiny, tmp_path / "float", SCHEMES["int8-16"])
    pack(tiny, tmp_path / "float32", FLOAT32)
    folders = (cached, tmp_path / "float", tmp_path / "float32")
    assert [find_rounding(read_graph(folder).graph) for folder in folders] == [INTEGERS, INTEGERS, FLOATS]


def test_promise_that_the_processor_does_not_keep_is_dropped(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    assert measure_rounding(EXACT, decoder.start, decoder.vocabulary) == INTEGERS
    assert measure_rounding(FLOATS, decoder.start, decoder.vocabulary) == FLOATS
