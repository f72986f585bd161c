"""Progress reports: not for every piece, and always at the end."""

import pytest

from gpt2forge.stages import throttle


def test_progress_is_passed_on_at_times_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = throttle.Throttle(per_second=20)
    clock = iter(number / steady.per_second / 4 for number in range(1000))
    monkeypatch.setattr(throttle.time, "monotonic", lambda: next(clock))
    assert [done for done in range(1, 11) if steady.is_due(done, 10)] == [1, 5, 9, 10]
