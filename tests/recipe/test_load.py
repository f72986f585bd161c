"""Tests of reading recipes, and of the faults of bad ones."""

from pathlib import Path

import pytest

from gpt2forge.errors import RecipeError, UserError
from gpt2forge.recipe.load import load_recipe, load_recipes
from tests.recipe.recipe_text import BARE, GOOD, faults, write
from tests.workshop import ROOT, SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipe_is_valid_and_opens_with_three_comment_lines(name: str) -> None:
    path = ROOT / f"recipes/{name}.yaml"
    assert {each.recipe.name.partition("@")[0] for each in load_recipes([str(path)])} == {name}
    lines = path.read_text().splitlines()
    assert all(line.startswith("# ") for line in lines[:3])
    assert not lines[3].startswith("#")
    assert f"make build RECIPE={name}" in lines[2]


CUDA = ("target.device=cuda", "fusion.attention=false")


@pytest.mark.parametrize(("scheme", "positions"), [("none", "float32"), ("float16", "float16"), ("int4", "float16")])
def test_positions_are_float16_beside_weights_of_fewer_bits(folder: Path, scheme: str, positions: str) -> None:
    write(GOOD)
    change = (f"quantization={{scheme: {scheme}}}", *(CUDA if scheme == "float16" else ()))
    assert load_recipe("mine", change).recipe.quantization.positions == positions


def test_defaults_are_filled_in(folder: Path) -> None:
    write(GOOD)
    recipe = load_recipe("mine").recipe
    rest = {
        "positions": "float16",
        "overrides": None,
        "skip": None,
        "kv_cache": "float32",
        "few_rows": "channel",
        "method": "nearest",
        "smooth": False,
    }
    assert recipe.quantization.model_dump() == {
        "scheme": "int8",
        "granularity": 128,
        "embeddings": "int8",
        "embeddings_granularity": None,
        **rest,
    }
    assert recipe.fusion.model_dump() == {"attention": True, "skip_layer_norm": False, "gelu": True, "bias": True}
    assert recipe.target.model_dump() == {"device": "cpu", "cpu": "any", "runtime": None}
    write(GOOD.replace("int8", "int4"))
    assert load_recipe("mine").recipe.quantization.model_dump() == {
        "scheme": "int4",
        "granularity": 32,
        "embeddings": "int8",
        "embeddings_granularity": None,
        **rest,
    }
    write(GOOD.partition("quantization")[0])
    assert load_recipe("mine").recipe.quantization.model_dump() == {
        "scheme": "none",
        "granularity": None,
        "embeddings": "none",
        "embeddings_granularity": None,
        **rest,
        "positions": "float32",
    }


def test_recipe_is_named_as_under_recipes_or_by_its_path(folder: Path) -> None:
    write(GOOD)
    assert (
        load_recipe("mine").recipe
        == load_recipe("recipes/mine.yaml").recipe
        == load_recipe(str(folder / "recipes/mine.yaml")).recipe
    )


def test_all_faults_are_said_at_once_in_line_order(folder: Path) -> None:
    text = """\
name: mine
sorce:
  checkpoint: here
target:
  device: cpu
  cpu: vnn
fusion:
  gelu: yes
  attentoin: true
quantization:
  scheme: int9
  granularty: 128
"""
    assert faults(text) == [
        "recipes/mine.yaml:2:1: unknown key `sorce`; did you mean `source`?",
        "recipes/mine.yaml:6:3: `target.cpu: vnn` must be one of `any`, `vnni`; did you mean `vnni`?",
        "recipes/mine.yaml:8:3: `fusion.gelu: yes` must be `true` or `false`; did you mean `true`?",
        "recipes/mine.yaml:9:3: unknown key `fusion.attentoin`; did you mean `attention`?",
        "recipes/mine.yaml:11:3: `quantization.scheme: int9` must be one of `none`, `int8`, `int4`, `float16`; "
        "did you mean `int8`?",
        "recipes/mine.yaml:12:3: unknown key `quantization.granularty`; did you mean `granularity`?",
    ]


def test_value_in_a_message_stays_on_its_line_and_short(folder: Path) -> None:
    (fault,) = faults(GOOD.replace("int8", '"a\\nb' + "c" * 100 + '"'))
    assert fault.startswith(f"recipes/mine.yaml:7:3: `quantization.scheme: a b{'c' * 57}...` must be one of ")
    (fault,) = faults(GOOD, "quantization.granularity=" + "9" * 5000)
    assert "must be one of `16`, `32`, `64`, `128`, `256`, `channel`" in fault
    assert fault.endswith("`channel`")


def test_text_in_quotes_where_a_number_belongs_shows_the_quotes(folder: Path) -> None:
    assert faults(GOOD + '  granularity: "32"\nfusion:\n  gelu: "true"\n') == [
        'recipes/mine.yaml:8:3: `quantization.granularity: "32"` must be one of '
        "`16`, `32`, `64`, `128`, `256`, `channel`; did you mean `32`?",
        'recipes/mine.yaml:10:3: `fusion.gelu: "true"` must be `true` or `false`; did you mean `true`?',
    ]


def test_fault_in_a_parent_is_said_of_the_parent(folder: Path) -> None:
    Path("recipes/base").mkdir()
    Path("recipes/base/cpu.yaml").write_text("target:\n  device: cpu\nfusion:\n  gelo: true\n")
    assert faults("extends: base/cpu.yaml\n" + GOOD) == [
        "recipes/base/cpu.yaml:4:3: unknown key `fusion.gelo`; did you mean `gelu`?"
    ]


def test_fault_of_a_change_names_the_change(folder: Path) -> None:
    assert faults(GOOD, "quantization.granularty=64") == [
        "--set quantization.granularty=64: unknown key `quantization.granularty`; did you mean `granularity`?"
    ]


def test_change_is_applied(folder: Path) -> None:
    write(GOOD)
    recipe = load_recipe("mine", ["quantization.granularity=64"], "mine-64").recipe
    assert (recipe.name, recipe.quantization.granularity) == ("mine-64", 64)


def test_unknown_recipe_is_one_line_with_a_suggestion(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        load_recipe("mine")
    assert (
        str(error.value)
        == "`mine`: there is no folder `recipes/` with recipes here; change to its parent folder, or give a path"
    )
    write(GOOD)
    with pytest.raises(UserError) as error:
        load_recipe("mien")
    assert str(error.value) == "`mien`: there is no `recipes/mien.yaml`; did you mean `mine`?"
    with pytest.raises(UserError) as error:
        load_recipe("x/y.yaml")
    assert str(error.value) == "x/y.yaml: there is no such recipe"


@pytest.mark.parametrize("text", ["target:\n  device: cpu\n", "name: null\n"])
def test_recipe_without_a_name_is_told_what_is_missing(folder: Path, text: str) -> None:
    (folder / "recipes/bare.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe("bare")
    assert str(error.value).splitlines()[0] == "recipes/bare.yaml:1:1: the key `name` is missing"


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_empty_recipe_is_one_line(folder: Path, text: str) -> None:
    (folder / "recipes/bare.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe("bare")
    (line,) = str(error.value).splitlines()
    assert line.startswith("recipes/bare.yaml:1:1: is empty; a recipe is a mapping: `name: ...`")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD.replace("source:", "sources:"), "2:1: unknown key `sources`; did you mean `source`?"),
        (GOOD.replace("checkpoint", "chekpoint"), "3:3: unknown key `source.chekpoint`; did you mean `checkpoint`?"),
        ("name: mine\nextend: gpt2forge/cpu\n", "2:1: unknown key `extend`; did you mean `extends`?"),
    ],
)
def test_misspelt_key_is_not_missing_too(folder: Path, text: str, fault: str) -> None:
    assert faults(text) == [f"recipes/mine.yaml:{fault}"]


def test_word_behind_set_without_a_sign_is_not_taken_for_a_recipe(folder: Path) -> None:
    write(GOOD)
    with pytest.raises(UserError) as error:
        load_recipes(["mine", "int4"], ["quantization.scheme"])
    assert str(error.value) == "--set quantization.scheme: write it as `--set section.key=value`"


def test_name_of_another_recipe_is_not_taken(folder: Path) -> None:
    write(GOOD)
    (folder / "recipes/other.yaml").write_text("x: 1\n")
    with pytest.raises(UserError) as error:
        load_recipe("mine", ["quantization.scheme=int4"], "other")
    assert str(error.value) == "--name: `other` is what `recipes/other.yaml` is published as; choose another name"


MATRIX = """\
matrix:
  - int8: {quantization: {scheme: int8}}
    int4: {quantization: {scheme: int4}}
  - 32: {quantization: {granularity: 32}}
    128: {quantization: {granularity: 128}}
"""


def test_recipe_with_a_matrix_is_its_variants(folder: Path) -> None:
    write(BARE + MATRIX)
    loaded = load_recipes(["mine"])
    found = [
        (each.recipe.name, each.recipe.quantization.scheme, each.recipe.quantization.granularity) for each in loaded
    ]
    assert found == [
        ("mine@int8-32", "int8", 32),
        ("mine@int8-128", "int8", 128),
        ("mine@int4-32", "int4", 32),
        ("mine@int4-128", "int4", 128),
    ]
    assert {each.path for each in loaded} == {Path("recipes/mine.yaml")}
    assert str(loaded[1].place("quantization", "granularity")) == "recipes/mine.yaml:10:26"


def test_variants_may_give_what_the_recipe_lacks(folder: Path) -> None:
    source = "matrix:\n  a: {source: {checkpoint: a}}\n  b: {source: {checkpoint: b}}\n"
    write("name: mine\ntarget:\n  device: cpu\n" + source)
    assert [each.recipe.source.checkpoint for each in load_recipes(["mine"])] == ["a", "b"]
    write("name: mine\ntarget:\n  device: cpu\n" + source + "  c: {}\n")
    with pytest.raises(RecipeError) as error:
        load_recipes(["mine"])
    assert str(error.value) == "recipes/mine.yaml:1:1: the key `source` is missing (in `mine@c`)"


def test_fault_that_several_variants_share_is_told_once(folder: Path) -> None:
    text = MATRIX.replace("int4}", "int9}").replace("32}}", "33}, fusion: {gelo: true}}")
    write(BARE + text)
    with pytest.raises(RecipeError) as error:
        load_recipes(["mine"])
    assert str(error.value).splitlines() == [
        "recipes/mine.yaml:8:27: `quantization.scheme: int9` must be one of `none`, `int8`, `int4`, `float16`; did you "
        "mean `int8`?",
        "recipes/mine.yaml:9:25: `quantization.granularity: 33` must be one of `16`, `32`, `64`, `128`, `256`, `channel`",
        "recipes/mine.yaml:9:52: unknown key `fusion.gelo`; did you mean `gelu`?",
    ]


def test_faults_of_all_recipes_are_told_at_once(folder: Path) -> None:
    write(GOOD.replace("int8", "int9"))
    (folder / "recipes/broken.yaml").write_text("{")
    (folder / "recipes/other.yaml").write_text(
        BARE.replace("mine", "other") + "matrix: {a/b: {}, c: {fusion: {gelo: 1}}}\n"
    )
    with pytest.raises(RecipeError) as error:
        load_recipes(["mine", "broken", "other"])
    assert [line.partition(": ")[0] for line in str(error.value).splitlines()] == [
        "recipes/broken.yaml:1:1",
        "recipes/mine.yaml:7:3",
        "recipes/other.yaml:6:10",
        "recipes/other.yaml:6:32",
    ]


@pytest.mark.parametrize("name", ["other", "a/b", "3"])
def test_wrong_name_of_a_recipe_with_a_matrix_is_told_once(folder: Path, name: str) -> None:
    (fault,) = faults(BARE.replace("name: mine", f"name: {name}") + MATRIX)
    assert fault.startswith(f"recipes/mine.yaml:1:1: `name: {name}` must be ")


def test_name_of_a_variant_has_its_length_too(folder: Path) -> None:
    name = "v" * 200
    (fault,) = faults(f"{BARE}matrix:\n  {name}: {{}}\n")
    assert fault == f"recipes/mine.yaml:7:3: `name: mine@{'v' * 55}...` is too long for a file's name"


def test_one_variant_takes_changes_and_a_name_and_several_do_not(folder: Path) -> None:
    write(BARE + MATRIX)
    loaded = load_recipe("mine@int4-32", ["~quantization.granularity", "quantization.scheme=int8"], "new")
    assert (loaded.recipe.name, loaded.own_name) == ("new", "mine@int4-32")
    assert loaded.recipe.quantization.granularity == 128
    names = "`mine@int8-32`, `mine@int8-128`, `mine@int4-32`, `mine@int4-128`"
    for changes, name, option in ((["fusion.gelu=false"], None, "--set"), ([], "new", "--name")):
        with pytest.raises(UserError) as error:
            load_recipes(["mine"], changes, name)
        assert str(error.value) == f"`{option}` is for one recipe, and several are selected; there are {names}"
    with pytest.raises(UserError) as error:
        load_recipe("mine")
    assert str(error.value) == f"`mine`: selects several recipes, and one is needed; there are {names}"


@pytest.mark.parametrize("name", ["mine", "mine@int8-32"])
def test_name_that_a_variant_or_its_recipe_has_is_not_taken(folder: Path, name: str) -> None:
    write(BARE + MATRIX)
    with pytest.raises(UserError) as error:
        load_recipe("mine@int4-32", [], name)
    assert str(error.value) == f"--name: `{name}` is what `recipes/mine.yaml` is published as; choose another name"


def test_null_on_an_unknown_key_is_a_fault(folder: Path) -> None:
    assert faults(GOOD + "  granularty: null\nbenchmrk: null\n") == [
        "recipes/mine.yaml:8:3: unknown key `quantization.granularty`; did you mean `granularity`?",
        "recipes/mine.yaml:9:1: unknown key `benchmrk`; did you mean `benchmark`?",
    ]


def test_null_under_a_pattern_is_judged_too(folder: Path) -> None:
    patterns = "    h.0.*: {bits: 8, granularty: null}\n    h.1.*: {bits: 8, granularity: null}\n    h.2.*: null\n"
    patterns += "    h.*.mlp.cproj: null\n"
    assert faults(f"{GOOD}  overrides:\n{patterns}") == [
        "recipes/mine.yaml:9:22: unknown key `quantization.overrides.h.0.*.granularty`; did you mean `granularity`?",
        "recipes/mine.yaml:12:5: `quantization.overrides.h.*.mlp.cproj: null` matches no linear layer; "
        "did you mean `h.*.mlp.c_proj`?",
    ]


def test_fault_of_some_variants_names_them(folder: Path) -> None:
    told = faults(f"{GOOD}  granularity: 128\nmatrix:\n  a: {{}}\n  b: {{quantization: {{scheme: none}}}}\n")
    assert told == [
        "recipes/mine.yaml:8:3: `quantization.granularity: 128` means nothing where `scheme` is `none`; remove it "
        "(in `mine@b`)"
    ]
