"""The seconds that are left of a run."""

from gpt2forge.cli.time_left import TimeLeft


def test_time_left_falls_while_steps_run_and_when_they_end() -> None:
    now = 100.0
    left = TimeLeft(clock=lambda: now)
    assert left.find() == 0
    left.plan({("a", "fuse"): 2.0, ("a", "verify"): 10.0, ("b", "quantize"): 5.0})
    assert left.find() == 17
    left.start("a", "fuse")
    now += 1.5
    assert left.find() == 15.5
    now += 10  # longer than expected: nothing is left of it
    assert left.find() == 15
    left.finish("a", "fuse")
    left.finish("a", "verify")  # reused, and never started
    left.finish("b", "convert")  # never planned
    assert left.find() == 5
