"""Patterns, paths and matrices whose recipes are all up to date are answered as quickly as names, and never wrongly."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2forge import stamp
from gpt2forge.store.stat_cache import TICK
from tests.test_stamp import BOTH, VARIANTS, make_shop, make_variants
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

INT8, INT4 = ([line] for line in BOTH)
SELECTORS = {
    **dict.fromkeys(("mine", "m?ne", "mine@*", "*@int?"), BOTH),
    **dict.fromkeys(("recipes/mine.yaml", "./recipes/mine.yaml", "recipes/mine.yaml@*", "recipes//mine.yaml"), BOTH),
    **dict.fromkeys(("mine@int8", "*@int8", "recipes/mine.yaml@int8", "recipes/mine.yaml@*8"), INT8),
}
FAULTY = "name: nothing else\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    shop = make_shop(tmp_path_factory.mktemp("selections") / "here", built_once)
    make_variants(shop)
    for selector in SELECTORS:
        build(shop, selector)
    return shop


@pytest.fixture
def shop(made: Workshop) -> Iterator[Workshop]:
    """Return the workshop with its own recipes alone, and remove those that a test adds."""
    own = set(made.folder.glob("recipes/*"))
    yield made
    for path in set(made.folder.glob("recipes/*")) - own:
        path.unlink()
    time.sleep(2 * TICK / 1e9)


def build(shop: Workshop, *selectors: str, code: int = 0) -> list[str]:
    """Build, and return the lines of stderr."""
    return shop.run("build", *selectors, code=code, measured=True).stderr.splitlines()


def test_every_way_to_select_is_quick(shop: Workshop) -> None:
    for selector, lines in SELECTORS.items():
        assert build(shop, selector) == lines, selector
    assert build(shop, "mine@int4", "m?ne") == BOTH[::-1]
    assert build(shop, "*@int8", "recipes/mine.yaml@*") == BOTH


@pytest.mark.parametrize(("selector", "name"), [("m?ne", "m1ne"), ("*@int8", "mix@int8")])
def test_recipe_that_now_matches_is_seen(shop: Workshop, selector: str, name: str) -> None:
    (shop.folder / f"recipes/{name}.yaml").write_text(FAULTY)
    assert BOTH[0] not in build(shop, selector, code=1)
    assert build(shop, "mine") == BOTH


def test_recipe_that_does_not_match_is_not_read(shop: Workshop) -> None:
    (shop.folder / "recipes/other.yaml").write_text(FAULTY)
    time.sleep(2 * TICK / 1e9)
    assert BOTH[0] not in build(shop, "m?ne")
    assert build(shop, "m?ne") == BOTH


def test_file_named_like_a_variant_is_selected_by_name_and_not_by_path(shop: Workshop) -> None:
    (shop.folder / "recipes/mine@int8.yaml").write_text(FAULTY)
    for selector in ("mine", "m?ne", "mine@int8"):
        assert BOTH[0] not in build(shop, selector, code=1)
    for selector in ("recipes/mine.yaml", "recipes/mine.yaml@int8"):
        assert BOTH[0] not in build(shop, selector)


def test_file_with_an_at_sign_in_its_name_comes_before_a_variant(shop: Workshop) -> None:
    (shop.folder / "recipes/mine.yaml@int8").write_text(FAULTY)
    assert BOTH[0] not in build(shop, "recipes/mine.yaml@int8", code=1)


def test_pattern_without_its_list_is_as_slow_as_before(shop: Workshop) -> None:
    path = shop.folder / stamp.name_selection("m?ne")
    text = path.read_text()
    for damaged in ("", text[: len(text) // 2], text.replace("m?ne", "m*"), text.replace("@int4", "@int9")):
        path.write_text(damaged)
        assert BOTH[0] not in build(shop, "m?ne")
        assert build(shop, "m?ne") == BOTH


def test_names_of_lists_differ_for_all_selectors() -> None:
    selectors = ("a*", "a?", "a%2a;", "a/b", "a;b", "ä*", "a%b")
    assert len({stamp.name_selection(selector) for selector in selectors}) == len(selectors)
    assert all(Path(stamp.name_selection(selector)).parent == Path("build") for selector in selectors)


def test_variant_that_is_added_is_seen(shop: Workshop) -> None:
    (shop.folder / "recipes/mine.yaml").write_text(VARIANTS + "  fp32: {target: 1}\n")
    for selector in ("mine", "m?ne", "mine@*", "recipes/mine.yaml", "recipes/mine.yaml@*"):
        assert BOTH[0] not in build(shop, selector, code=1)
