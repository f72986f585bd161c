"""Suggestions for values that mean another one."""

from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.meant import suggest_choice
from tests.recipe.recipe_text import BARE, faults, write

SCHEMES = ("none", "int8", "int4", "float16")


@pytest.mark.parametrize(
    ("value", "choices", "meant"),
    [
        ("INT8", SCHEMES, "int8"),
        ("Int-8", SCHEMES, "int8"),
        ("\u201cint8\u201d", SCHEMES, "int8"),
        ("int8,", SCHEMES, "int8"),
        ("fp16", SCHEMES, "float16"),
        ("half", SCHEMES, "float16"),
        ("float32", SCHEMES, "none"),
        ("fp32", ("float32", "float16"), "float32"),
        ("q4", SCHEMES, "int4"),
        ("4-bit", SCHEMES, "int4"),
        (8, SCHEMES, "int8"),
        ("int88", SCHEMES, "int8"),
        ("gpu", ("cpu", "cuda"), "cuda"),
        ("GPU", ("cpu", "cuda"), "cuda"),
        ("VNNI", ("any", "vnni"), "vnni"),
        ("avx512_vnni", ("any", "vnni"), "vnni"),
        ("per-channel", ("16", "channel"), "channel"),
        ("GPTQ", ("nearest", "gptq"), "gptq"),
        ("Q4_K_M", SCHEMES, "int4"),
        ("avx2", ("any", "vnni"), "any"),
        ("int8#small", SCHEMES, "int8"),
    ],
)
def test_word_of_another_program_means_a_choice(value: object, choices: tuple[str, ...], meant: str) -> None:
    assert suggest_choice(value, choices) == f"; did you mean `{meant}`?"


def test_word_that_means_nothing_has_no_suggestion() -> None:
    assert suggest_choice("zzz", SCHEMES) == suggest_choice("x" * 100_000, SCHEMES) == ""


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("verify: {text: x, max_perplexity_increase: 5 %}", "as in `0.5%`; did you mean `5%`?"),
        ('verify: {text: x, max_perplexity_increase: "0,5 %"}', "did you mean `0.5%`?"),
        ("verify: {text: x, min_top1_agreement: 97 percent}", "did you mean `97%`?"),
        ("verify: {text: x, max_perplexity_increase: 0.005}", "as in `0.5%`"),
        ("verify: {text: x, tokens: 8k}", "must be a whole number; did you mean `8000`?"),
        ("verify: {text: x, tokens: '8,192'}", "did you mean `8192`?"),
        ('verify: {text: x, tokens: "8192"}', "did you mean `8192`?"),
        ("verify: {text: x, max_kl: '0,002'}", "must be a number; did you mean `0.002`?"),
        ("quantization: {scheme: int8, skip: h.0.*}", "must be a list; write `[h.0.*]`"),
        ("fusion: {gelu: yes}", "must be `true` or `false`; did you mean `true`?"),
        ("fusion: {gelu: False}", "did you mean `false`?"),
        ("verify: {text: x, tokens: 8192.0}", "did you mean `8192`?"),
        ("verify: {text: x, tokens: -5}", "must be 2 or more"),
        ("verify: {text: x, max_kl: -1}", "must be 0 or more"),
        ("verify: {text: 7}", 'must be text; write `"7"`, with the quotes'),
        ("verify: {text: [x]}", "must be text; write `x`, without the brackets or the `-` of a list"),
        ("verify: held.txt", "did you mean `verify: {text: held.txt}`?"),
        ("verify: [text: held.txt]", "must be a mapping; leave out the brackets or the `-` of a list"),
        ("verify: true", "`max_perplexity_increase`, `max_kl`, `min_top1_agreement`, `tolerances`"),
        ("calibration: train.txt", "did you mean `calibration: {text: train.txt}`?"),
        ("quantization: {scheme: int8, bits: 8}", "unknown key `quantization.bits`; did you mean `scheme`?"),
        ("quantization: {scheme: int8, group_size: 32}", "did you mean `granularity`?"),
        (
            "quantization: {scheme: int8, \u00a0method: gptq}",
            "its U+00A0 looks like a space and is none, so type spaces instead",
        ),
        ("quantization: {scheme: INT8}", "did you mean `int8`?"),
        ("quantization: {scheme: fp16}", "did you mean `float16`?"),
    ],
)
def test_value_that_means_another_is_told_it(folder: Path, text: str, end: str) -> None:
    (fault,) = faults(f"{BARE}{text}\n")
    assert fault.endswith(end)


def test_gpu_is_cuda(folder: Path) -> None:
    (short,) = faults(BARE.replace("target:\n  device: cpu", "target: gpu"))
    assert short.endswith("`target: gpu` must be a mapping; did you mean `target: {device: cuda}`?")
    (fault,) = faults(BARE.replace("cpu", "gpu"))
    assert fault == ("recipes/mine.yaml:5:3: `target.device: gpu` must be one of `cpu`, `cuda`; did you mean `cuda`?")


def test_file_with_the_other_ending_is_told(folder: Path) -> None:
    write(BARE)
    Path("recipes/mine.yaml").rename("recipes/mine.yml")
    with pytest.raises(UserError) as error:
        load_recipe("mine")
    assert str(error.value) == "recipes/mine.yml: is not read under this name; rename it to `mine.yaml`"
    with pytest.raises(UserError, match=r"there is no such recipe; did you mean `recipes/mine.yml`\?"):
        load_recipe("recipes/mine.yaml")


@pytest.mark.parametrize("entry", ["parent.yml", "parent"])
def test_parent_with_the_other_ending_is_told(folder: Path, entry: str) -> None:
    Path("recipes/parent.yaml").write_text("target: {device: cpu}\n")
    (fault,) = faults(f"extends: {entry}\n{BARE}")
    assert fault.endswith(f"there is no file `recipes/{entry}`; did you mean `parent.yaml`?")
