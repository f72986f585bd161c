"""A measurement waits for the processor, and not for ever."""

import pytest

from bench import quiet


def test_what_was_never_faster_does_not_wait() -> None:
    gate = quiet.Gate()
    gate.wait()
    assert gate.passed == 1 and gate.gave_up <= 1
    assert 0 < gate.fastest < 1


def test_a_processor_that_stays_slow_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "PATIENCE", 0.2)
    gate = quiet.Gate(fastest=1e-9)
    gate.wait()
    assert gate.to_json() == {"waited_s": pytest.approx(0.3, abs=0.3), "passed": 1, "gave_up": 1}
