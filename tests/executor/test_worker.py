"""What a worker says on its way: not every piece, and always the end."""

from gpt2forge.worker import thin


def test_progress_is_passed_on_at_times_and_at_the_end() -> None:
    told: list[tuple[int, int, str]] = []
    advance = thin(lambda *said: told.append(said))
    for done in range(1, 5001):
        advance(done, 5000, "B")
    assert told[0] == (1, 5000, "B")
    assert told[-1] == (5000, 5000, "B")
    assert len(told) < 1000
