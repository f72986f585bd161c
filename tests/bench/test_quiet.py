"""A measurement waits for the processor, and not for ever."""

import pytest

from bench.quiet import PATIENCE, Gate


class Scripted(Gate):
    """A gate whose products take the seconds that a test sets."""

    def script(self, *seconds: float) -> "Scripted":
        self.taken = [*seconds, *[seconds[-1]] * 1000]
        return self

    def probe(self) -> float:
        return self.taken.pop(0)


def test_a_product_is_timed() -> None:
    pytest.importorskip("torch")
    assert 0 < Gate().probe() < 1


def test_what_is_as_fast_as_ever_does_not_wait() -> None:
    gate = Scripted().script(0.010, 0.011, 0.009)
    for _ in range(3):
        gate.wait()
    assert gate.to_json() == {"waited_s": 0.0, "passed": 3, "gave_up": 0}


def test_a_slow_phase_is_waited_for() -> None:
    gate = Scripted(fastest=0.010).script(0.020, 0.020, 0.010)
    gate.wait()
    assert 0 < gate.waited < PATIENCE
    assert gate.gave_up == 0


def test_a_processor_that_stays_slow_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.quiet.PATIENCE", 0.2)
    gate = Scripted(fastest=0.010).script(0.020)
    gate.wait()
    assert (gate.passed, gate.gave_up) == (1, 1)
