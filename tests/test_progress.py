"""What is said on the way: not every piece, and always the end."""

import pytest

from gpt2forge import progress


def test_progress_is_passed_on_at_times_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = progress.Pace(per_second=20)
    clock = iter(number / pace.per_second / 4 for number in range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert [done for done in range(1, 11) if pace.is_due(done, 10)] == [1, 5, 9, 10]
