"""Rules compare values: each is told with its place, beside all other faults of the recipe."""

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.errors import RecipeError
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.rules import RULES, Rule, check_rules
from gpt2forge.recipe.schema import Recipe
from gpt2forge.recipe.sections.quantization_section import Quantization
from tests.recipe.recipe_text import BARE, GOOD, faults, write

GPU = BARE.replace("cpu", "cuda") + "fusion:\n  attention: false\n"
CALIBRATE = "needs `calibration:` with a `text` like what the model is for"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            f"{GPU}quantization:\n  scheme: int8\n",
            "9:3: `quantization.scheme: int8` needs `target.device: cpu`; use `scheme: float16`",
        ),
        (
            f"{GPU}quantization:\n  scheme: none\n  embeddings: int4\n",
            "10:3: `quantization.embeddings: int4` needs `target.device: cpu`; remove it",
        ),
        (
            f"{BARE}quantization:\n  scheme: float16\n",
            "7:3: `quantization.scheme: float16` needs `target.device: cuda`: a CPU casts every weight to float32 whenever "
            "it is used; use `scheme: int8` or `scheme: int4`",
        ),
        (
            f"{GPU.partition('fusion')[0]}quantization:\n  scheme: float16\n",
            "1:1: `target.device: cuda` needs `fusion.attention: false`: ONNX Runtime's CUDA kernel refuses the bias that "
            "a left-padded batch needs",
        ),
        (
            f"{GPU}quantization:\n  scheme: float16\n  method: gptq\n  smooth: true\n  positions: float32\n  kv_cache: int8\n",
            "10:3: `quantization.method: gptq` means nothing where `scheme` is `float16`; remove it\n"
            "11:3: `quantization.smooth: true` means nothing where `scheme` is `float16`; remove it\n"
            "12:3: `quantization.positions: float32` contradicts `scheme: float16`, which is everything; remove it\n"
            "13:3: `quantization.kv_cache: int8` needs `target.device: cpu`; remove it",
        ),
        (f"{GOOD}  embeddings: float16\n", "8:3: `quantization.embeddings: float16` needs `scheme: float16`"),
        (
            f"{GOOD}  embeddings: float16\n  embeddings_granularity: 32\n",
            "8:3: `quantization.embeddings: float16` needs `scheme: float16`",
        ),
        (
            GPU.replace("cuda", "cuda\n  cpu: vnni") + "quantization:\n  scheme: float16\nbenchmark: {}\n",
            "6:3: `target.cpu: vnni` means nothing where `device` is `cuda`; remove it\n"
            "11:1: `benchmark` measures on the CPU, and `target.device` is `cuda`; remove it",
        ),
        (
            f"{GPU}quantization:\n  scheme: float16\n  granularity: 32\n  embeddings: int8\n",
            "10:3: `quantization.granularity: 32` means nothing where `scheme` is `float16`; remove it\n"
            "11:3: `quantization.embeddings: int8` contradicts `scheme: float16`, which is everything; remove it",
        ),
        (GOOD.replace("mine", "other", 1), "1:1: `name: other` must be the file's, `mine`"),
        (f"{GOOD}  method: gptq\n", f"8:3: `quantization.method: gptq` {CALIBRATE}"),
        (f"{GOOD}  smooth: true\n", f"8:3: `quantization.smooth: true` {CALIBRATE}"),
        (f"{GOOD}  kv_cache: int8\n", f"8:3: `quantization.kv_cache: int8` {CALIBRATE}"),
        (
            f"{GOOD}  kv_cache: int8\nfusion:\n  attention: false\n",
            f"8:3: `quantization.kv_cache: int8` {CALIBRATE}\n"
            "8:3: `quantization.kv_cache: int8` needs `fusion.attention: true`: standard operators have no such cache",
        ),
        (
            f"{BARE}quantization:\n  scheme: none\n  method: gptq\ncalibration:\n  text: a\n",
            "8:3: `quantization.method: gptq` means nothing where `scheme` is `none`; remove it",
        ),
        (
            f"{GOOD}  method: gptq\ncalibration:\n  text: a\nverify:\n  text: a\n",
            "10:3: `calibration.text: a` is `verify.text` too, and a result cannot be measured on the text that it "
            "was fitted to; name another",
        ),
        (
            f"{GOOD}  overrides: {{h.0.*: {{bits: 4}}}}\n  skip: [h.*.attn.c_proj]\n",
            "9:3: `quantization.skip: [h.*.attn.c_proj]` is ambiguous: two patterns match `h.0.attn.c_proj`, `h.0.*` "
            "and `h.*.attn.c_proj`; let one decide",
        ),
        (
            f"{BARE}quantization:\n  scheme: none\n  skip: [h.0.*]\n",
            "8:3: `quantization.skip: [h.0.*]` means nothing where `scheme` is `none`; remove it",
        ),
        (
            f"{GOOD}  overrides: {{h.0.*: {{bits: 4, granularity: channel}}}}\ntarget2: 3\n",
            "8:32: `quantization.overrides.h.0.*.granularity: channel` needs `bits: 8`; use 16, 32, 64, 128 or 256\n"
            "9:1: unknown key `target2`; did you mean `target`?",
        ),
    ],
)
def test_fault_is_one_line_with_its_place(folder: Path, text: str, fault: str) -> None:
    assert faults(text) == [f"recipes/mine.yaml:{line}" for line in fault.splitlines()]


@pytest.mark.parametrize(
    ("given", "key", "problem"),
    [
        ({"granularity": 32}, "granularity", "means nothing where `scheme` is `none`; remove it"),
        (
            {"scheme": "int4", "granularity": "channel"},
            "granularity",
            "needs `scheme: int8`; use 16, 32, 64, 128 or 256",
        ),
        (
            {"scheme": "int8", "few_rows": "blocks"},
            "few_rows",
            "means nothing where no `granularity` is `channel`; use `granularity: channel`, or remove it",
        ),
        (
            {"scheme": "int8", "embeddings": "none", "embeddings_granularity": 32},
            "embeddings_granularity",
            "means nothing where `embeddings` is `none`; remove it",
        ),
        (
            {"embeddings_granularity": 32},
            "embeddings_granularity",
            "means nothing where `embeddings` is `none`; remove it",
        ),
        ({"overrides": {"h.*": {"bits": 8}}}, "overrides", "means nothing where `scheme` is `none`; remove it"),
        (
            {"scheme": "int8", "overrides": {"h.*.c_proj": {"bits": 4}, "h.*.mlp.*": {"bits": 4}}},
            "overrides",
            "is ambiguous: two patterns match `h.0.mlp.c_proj`, `h.*.c_proj` and `h.*.mlp.*`; let one decide",
        ),
    ],
)
def test_section_that_contradicts_itself_is_told_at_the_key(given: dict[str, Any], key: str, problem: str) -> None:
    ((loc, message),) = check_rules({"quantization": Quantization(**given)})
    assert loc == ("quantization", key)
    assert message.startswith(f"`quantization.{key}: ")
    assert message.endswith(f"` {problem}")


@pytest.mark.parametrize(
    "given",
    [{}, {"overrides": {}, "skip": []}, {"method": "nearest", "smooth": False}, {"scheme": "int4", "skip": ["h.0.*"]}],
)
def test_section_that_contradicts_nothing_passes(given: dict[str, Any]) -> None:
    section = Quantization(**given)
    assert (
        list(check_rules({"quantization": section})) == list(check_rules({"quantization": section.normalize()})) == []
    )


def test_faults_that_cross_sections_come_with_all_others(folder: Path) -> None:
    text = GOOD.replace("name: mine", "name: other") + "  kv_cache: int8\nfusion:\n  gelo: true\n"
    assert [fault.partition(": ")[0] for fault in faults(text)] == [
        "recipes/mine.yaml:1:1",
        "recipes/mine.yaml:8:3",
        "recipes/mine.yaml:10:3",
    ]


def test_section_with_an_unknown_key_is_still_held_against_the_rules(folder: Path) -> None:
    told = faults(f"{GOOD}  kv_cache: int8\n  granularty: 128\n  method: gptq\n")
    assert [fault.partition(": ")[0].rpartition("yaml:")[2] for fault in told] == ["8:3", "9:3", "10:3"]


def test_rule_waits_for_the_sections_that_it_reads(folder: Path) -> None:
    text = f"{GOOD}  kv_cache: int8\nfusion:\n  attention: false\n"
    (target, calibration) = faults(text.replace("device: cpu", "device: tpu"))[0], faults(f"{text}calibration: 3\n")
    assert target.startswith("recipes/mine.yaml:5:3: `target.device: tpu` must be one of")
    assert [fault.partition("`")[2].partition("`")[0] for fault in calibration] == [
        "quantization.kv_cache: int8",
        "calibration: 3",
    ]


@pytest.mark.parametrize("name", ["other.json", ".token"])
def test_name_of_another_file_in_build_is_refused(folder: Path, name: str) -> None:
    write(GOOD)
    with pytest.raises(RecipeError) as error:
        load_recipe("mine", (), name)
    assert str(error.value) == f"--name: `name: {name}` would take the place of something else in `build/`"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}")
def test_rule_reads_sections_as_the_recipe_has_them(rule: Rule) -> None:
    fields, types = Recipe.model_fields, typing.get_type_hints(rule)
    for name in inspect.signature(rule).parameters:
        assert types[name] == fields[name].annotation
