"""`target.runtime` refuses what that onnxruntime cannot load, entry by entry, and allows what a package then says."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from gpt2forge.graph.model_file import read_graph
from gpt2forge.quantize.find_floor import find_floor
from gpt2forge.quantize.floors import OLDEST, Version
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.runtime_rules import list_needs
from gpt2forge.recipe.sections.fusion_section import Fusion
from gpt2forge.recipe.sections.quantization_section import Override, Quantization
from gpt2forge.stages.quantize import resolve_scheme
from tests.graph.models import Shape, Tiny, make_tiny
from tests.quantize.packages import pack
from tests.recipe.recipe_text import BARE, faults, write
from tests.stages.run_quantize import see

INTEGERS = "quantization:\n  scheme: int4\n  overrides: {h.0.*: {bits: 8}}\n"
PLAIN = "fusion:\n  attention: false\n  bias: false\n"


def old(version: str) -> str:
    """Return the text of a recipe that must load in this version."""
    return BARE.replace("cpu\n", f'cpu\n  runtime: "{version}"\n')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (old("1.22"), ["cannot load `fusion.attention: true`, which needs 1.23; use `fusion.attention: false`"]),
        (
            old("1.16") + INTEGERS + "fusion:\n  attention: false\n",
            [
                "cannot load `fusion.bias: true` with `quantization.scheme: int4`, which needs 1.19; use "
                "`fusion.bias: false`",
                "cannot load `quantization.embeddings: int8`, which needs 1.23; use `quantization.embeddings: none`",
                "cannot load `quantization.overrides.h.0.*.bits: 8`, which needs 1.22; remove it",
                "cannot load `quantization.scheme: int4`, which needs 1.17; use `scheme: none`",
            ],
        ),
        (old("1.9") + PLAIN, ['is older than any version that was tried; use "1.15" or later']),
    ],
)
def test_what_an_old_version_cannot_load_is_refused(folder: Path, text: str, told: list[str]) -> None:
    version = text.partition("runtime: ")[2].partition("\n")[0]
    assert faults(text) == [f"recipes/mine.yaml:6:3: `target.runtime: {version}` {fault}" for fault in told]


def test_version_without_quotes_is_a_number(folder: Path) -> None:
    fault = '`target.runtime: 1.2` must be a version in quotes, as in "1.23"'
    assert faults(old("1.20").replace('"', "")) == [f"recipes/mine.yaml:6:3: {fault}"]


def test_version_means_nothing_for_a_gpu(folder: Path) -> None:
    text = old("1.30").replace("cpu\n", "cuda\n") + "fusion:\n  attention: false\n"
    told = '`target.runtime: "1.30"` means nothing where `device` is `cuda`; remove it'
    assert faults(text) == [f"recipes/mine.yaml:6:3: {told}"]


def test_version_that_loads_everything_is_accepted(folder: Path) -> None:
    write(old("1.15") + PLAIN)
    assert load_recipe("mine").recipe.target.runtime == "1.15"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape())


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "section",
    [
        Quantization(),
        Quantization(positions="float16", embeddings="int4"),
        Quantization(scheme="int8"),
        Quantization(scheme="int8", embeddings="none"),
        Quantization(scheme="int8", granularity="channel", embeddings="none"),
        Quantization(scheme="int8", granularity="channel", overrides={"h.0.*": Override(bits=4)}, embeddings="none"),
        Quantization(scheme="int8", granularity="channel", few_rows="blocks", embeddings="none"),
        Quantization(scheme="int4", embeddings="none"),
        Quantization(scheme="int4", overrides={"h.1.*": Override(bits=8)}, embeddings="none"),
    ],
)
def test_rule_agrees_with_the_graph(
    tiny: Tiny, tmp_path: Path, section: Quantization, bias: bool, attention: bool
) -> None:
    fusion = Fusion(attention=attention, bias=bias)
    pack(tiny, tmp_path / "out", resolve_scheme(see(section), "any"), [name for name, is_on in fusion if is_on])
    needed: list[Version] = [version for _, version, _ in list_needs(section, fusion)]
    assert find_floor(read_graph(tmp_path / "out").graph) == max([OLDEST, *needed])
