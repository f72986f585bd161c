"""`generation:`, how a package writes text."""

from pathlib import Path

import pytest

from gpt2forge.errors import RecipeError
from gpt2forge.recipe.draft_recipe import load_draft
from gpt2forge.recipe.load import load_recipe
from tests.recipe.recipe_text import BARE, GOOD, faults, write

pytestmark = pytest.mark.usefixtures("folder")

NUMBERS = "temperature: 0.7\n  top_k: 40\n  top_p: 0.9\n  min_p: 0.05\n  repetition_penalty: 1.1\n  max_tokens: 64\n"


def test_recipe_without_it_has_none_and_values_are_kept() -> None:
    write(GOOD)
    assert load_recipe("mine").recipe.generation is None
    write(f"{GOOD}generation:\n  {NUMBERS}  speculative:\n    draft: prompt-lookup\n")
    generation = load_recipe("mine").recipe.generation
    assert generation is not None
    assert (generation.temperature, generation.top_k, generation.max_tokens) == (0.7, 40, 64)
    assert (generation.guesser, generation.guess_tokens, generation.draft) == ("prompt-lookup", "auto", None)
    write(f"{GOOD}generation:\n  speculative:\n    draft: small\n    tokens: 4\n")
    generation = load_recipe("mine").recipe.generation
    assert generation is not None
    assert (generation.guesser, generation.guess_tokens, generation.draft) == ("draft", 4, "small")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("temprature: 1", "unknown key `generation.temprature`; did you mean `temperature`?"),
        ("temperature: -1", "`generation.temperature: -1` must be 0 or more"),
        ("temperature: .nan", "`generation.temperature: .nan` must be a number"),
        ("top_p: 0", "`generation.top_p: 0` should be greater than 0"),
        ("top_p: 1.5", "`generation.top_p: 1.5` should be less than or equal to 1"),
        ("min_p: 2", "`generation.min_p: 2` should be less than or equal to 1"),
        ("max_tokens: 0", "`generation.max_tokens: 0` must be 1 or more"),
        ("repetition_penalty: 0", "`generation.repetition_penalty: 0` should be greater than 0"),
        (
            "speculative: prompt-lookup",
            "`generation.speculative: prompt-lookup` must be a mapping; did you mean `generation.speculative: "
            "{draft: prompt-lookup}`?",
        ),
        ("speculative: {tokens: 4}", "the key `generation.speculative.draft` is missing"),
        (
            "speculative: {draft: mine}",
            "`generation.speculative.draft: mine` is this recipe; name that of a smaller model, or use `prompt-lookup`",
        ),
    ],
)
def test_wrong_value_is_told_with_its_place(line: str, fault: str) -> None:
    assert faults(f"{BARE}generation:\n  {line}\n")[0].partition(": ")[2] == fault


@pytest.mark.parametrize("tokens", ["0", "33", "2.5", "many"])
def test_number_of_guesses_is_auto_or_small(tokens: str) -> None:
    (fault,) = faults(f"{BARE}generation:\n  speculative:\n    draft: prompt-lookup\n    tokens: {tokens}\n")
    told = "must be `auto` or a whole number from 1 to 32"
    assert fault == f"recipes/mine.yaml:9:5: `generation.speculative.tokens: {tokens}` {told}"


def test_filters_mean_nothing_where_nothing_is_drawn() -> None:
    found = faults(f"{BARE}generation:\n  temperature: 0\n  top_k: 4\n  top_p: 0.5\n")
    assert found == [
        f"recipes/mine.yaml:{line}:3: `generation.{entry}` means nothing where `temperature` is 0; remove it"
        for line, entry in ((8, "top_k: 4"), (9, "top_p: 0.5"))
    ]


def test_draft_is_found_in_the_project_without_what_it_is_not_needed_for(tmp_path: Path) -> None:
    write(f"{GOOD}generation:\n  speculative:\n    draft: small\n")
    Path("recipes/small.yaml").write_text(GOOD.replace("mine", "small") + "benchmark: {}\ngeneration: {}\n")
    draft = load_draft(load_recipe("mine"))
    assert draft and (draft.recipe.name, draft.recipe.benchmark, draft.recipe.generation) == ("small", None, None)
    write(GOOD)
    assert load_draft(load_recipe("mine")) is None


def test_draft_may_be_a_variant_and_its_project_need_not_be_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"{GOOD}generation:\n  speculative:\n    draft: small@four\n")
    matrix = "matrix:\n  four: {quantization: {scheme: int4}}\n  eight: {quantization: {scheme: int8}}\n"
    Path("recipes/small.yaml").write_text(BARE.replace("mine", "small") + matrix)
    place = Path("recipes/mine.yaml").absolute()
    for folder in (Path(), tmp_path):
        monkeypatch.chdir(folder)
        draft = load_draft(load_recipe(str(place)))
        assert draft and (draft.recipe.name, draft.recipe.quantization.scheme) == ("small@four", "int4")


def test_draft_that_is_missing_or_wrong_is_told_with_its_place() -> None:
    write(f"{GOOD}generation:\n  speculative:\n    draft: smal\n")
    Path("recipes/small.yaml").write_text(BARE.replace("mine", "small") + "extra: 1\n")
    with pytest.raises(RecipeError) as missing:
        load_draft(load_recipe("mine"))
    start = "recipes/mine.yaml:10:5: `generation.speculative.draft: smal`: `smal`: there is no `recipes/smal.yaml`"
    assert str(missing.value) == f"{start}; did you mean `small`?"
    write(f"{GOOD}generation:\n  speculative:\n    draft: small\n")
    with pytest.raises(RecipeError, match=r"^recipes/small.yaml:6:1: unknown key `extra`"):
        load_draft(load_recipe("mine"))
