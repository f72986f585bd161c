"""The bars of a run in a terminal of 80 columns and 24 lines."""

import io

import pytest
from rich.console import Console

from gpt2forge.builder.build_events import BuildEvent, RunPlanned
from gpt2forge.cli.progress_bars import LONGEST_RECIPE, format_duration, name_bar
from gpt2forge.cli.run_view import RunView
from gpt2forge.executor.events import StepAdvanced, StepFinished, StepSampled, StepStarted
from gpt2forge.executor.outcome import Outcome

LONG = "774m-cpu@int4-32-gptq-smooth-embeddings-int8"


def draw(recipes: tuple[str, ...], *events: BuildEvent, encoding: str = "utf-8") -> list[str]:
    """Return the lines that a terminal shows after these events."""
    view = RunView(recipes, steps=14)
    view.__enter__()
    for event in events:
        view.show(event)
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    terminal = Console(file=file, width=80, height=24, force_terminal=True, color_system=None, legacy_windows=False)
    terminal.print(view.bars.get_renderable())
    view.__exit__(None, None, None)
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()]


def advance(recipe: str, stage: str) -> StepAdvanced:
    return StepAdvanced(
        stage=stage, done=12_000_000, total=48_000_000, unit="B", rate=3_100_000.0, seconds_left=1234.0, recipe=recipe
    )


def test_running_step_shows_time_memory_rate_and_what_is_left() -> None:
    events = StepStarted("quantize", "x", LONG), advance(LONG, "quantize"), StepSampled("quantize", 1_234_000_000, LONG)
    steps, step = draw((LONG, "other"), *events)
    assert steps.split()[1:] == ["steps", "0:00", "0", "of", "14"]
    assert step[2:] == "774m-cp...ngs-int8  quantize   ━━       0:00 1.2 GB 3.1 MB/s, 1234 s left"
    assert len(step) <= 80


def test_step_without_a_rate_shows_what_it_is_expected_to_take() -> None:
    _, step = draw(("nano",), StepStarted("fuse", "x", "nano", 12.3))
    assert step.split()[1:] == ["fuse", "━━━━━━━━", "0:00", "~12", "s", "left"]


def test_finished_step_has_no_bar_and_is_counted() -> None:
    finished = StepFinished(Outcome("fuse", "built", "x"), "nano")
    (steps,) = draw(("nano",), StepStarted("fuse", "x", "nano"), finished)
    assert steps.endswith("1 of 14")


def test_bar_of_all_steps_shows_what_is_left_of_the_run() -> None:
    planned = RunPlanned({("nano", "fuse"): 10.0, ("nano", "quantize"): 30.0})
    (steps,) = draw(("nano",), planned, StepFinished(Outcome("fuse", "built", "x"), "nano"))
    assert steps.endswith("1 of 14, ~30 s left")


def test_memory_of_a_step_that_has_ended_is_ignored() -> None:
    assert len(draw(("nano",), StepSampled("fuse", 1, "nano"))) == 1


def test_terminal_without_unicode_is_shown_ascii() -> None:
    lines = draw(("nano",), StepStarted("fuse", "x", "nano"), advance("nano", "fuse"), encoding="ascii")
    assert "".join(lines).isascii() and len(lines) == 2


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0:00"), (63, "1:03"), (3723, "1:02:03")])
def test_duration_has_hours_only_if_there_are_any(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_name_of_a_bar_keeps_the_stage_and_both_ends_of_the_recipe() -> None:
    assert name_bar("", "fuse") == "fuse      "
    assert name_bar("a" * LONGEST_RECIPE, "fuse") == "a" * LONGEST_RECIPE + "  fuse      "
    assert len(name_bar("a" * 200, "fuse")) == LONGEST_RECIPE + 12
