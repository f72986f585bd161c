"""The charts of what each choice buys."""

from gpt2forge.cli.page.effect_charts import EDGE, RADIUS, WIDTH, place_change, show_effects
from gpt2forge.cli.page.page import make_page
from gpt2forge.tune.effect import Difference, Effect, refuse_effect
from tests.cli.page.pages import PageReader, make_data

EFFECTS = (
    Effect(
        "fusion.attention",
        size=Difference(0.0, (0.0, 0.0)),
        token=Difference(-0.02, (-0.06, 0.03)),
        prompt=None,
        kl=Difference(1e-8, (-1e-7, 1e-7)),
    ),
    Effect(
        "quantization.scheme: <int4>",
        size=Difference(-0.75, (-0.75, -0.75)),
        token=Difference(-0.5, (-0.55, -0.4)),
        prompt=None,
        kl=Difference(0.02, (0.01, 0.03)),
    ),
    refuse_effect("kv_cache: int8", "needs `fusion.attention`"),
)


def test_page_has_a_chart_of_each_measured_quantity_and_one_table() -> None:
    page = PageReader(make_page(make_data(effects=EFFECTS)))
    labels = [each["aria-label"] for tag, each in page.elements if tag == "svg"]
    assert labels[:3] == ["size: 2 choices", "new token: 2 choices", "KL, nats a token: 2 choices"]
    cells = page.find_texts("td")
    assert {"-75.0%", "-50.0% [-55.0%, -40.0%]", "noise [-6.0%, +3.0%]", "needs `fusion.attention`"} <= set(cells)
    assert "What each choice buys" in page.find_texts("h2")
    assert "What each choice buys" not in PageReader(make_page(make_data())).find_texts("h2")


def test_a_dot_is_left_of_the_middle_if_the_choice_makes_the_number_smaller_and_hollow_if_it_is_noise() -> None:
    page = PageReader(show_effects(EFFECTS))
    dots = [float(each["cx"]) for tag, each in page.elements if tag == "circle"]
    sizes, tokens, divergences = dots[:2], dots[2:4], dots[4:]
    assert sizes[0] == WIDTH / 2 and sizes[1] < WIDTH / 2
    assert tokens[1] < tokens[0] < WIDTH / 2 < divergences[1]
    classes = [each["class"] for tag, each in page.elements if tag == "g" and "change" in (each.get("class") or "")]
    assert classes == ["change noise", "change", "change noise", "change", "change noise", "change"]


def test_no_change_leaves_the_picture_and_nothing_to_show_is_no_section() -> None:
    assert place_change(-9.0, 1.0) == EDGE > RADIUS
    assert place_change(9.0, 1.0) == WIDTH - EDGE
    assert show_effects(()) == ""
    assert "<svg" not in show_effects(EFFECTS[2:])
