"""What a worker says on its way: not every piece, and always the end."""

import pytest

from gpt2forge import worker


def test_progress_is_passed_on_at_times_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(number * worker.PAUSE / 4 for number in range(1000))
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(clock))
    told: list[tuple[int, int, str]] = []
    advance = worker.thin(lambda *said: told.append(said))
    for done in range(1, 11):
        advance(done, 10, "B")
    assert [done for done, _, _ in told] == [1, 5, 9, 10]
