"""Signals wait while they are held, and only those that would interrupt."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpt2forge.held_interrupts import hold_interrupts


def hold(done: list[str], number: int) -> None:
    with hold_interrupts():
        os.kill(os.getpid(), number)
        done.append("imported")
    done.append("after")


def test_interrupt_waits_for_the_end_of_the_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        hold(done, signal.SIGINT)
    assert done == ["imported"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done: list[str] = []
        hold(done, signal.SIGHUP)
        assert done == ["imported", "after"]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_hold_nothing() -> None:
    def enter() -> str:
        with hold_interrupts():
            return "imported"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(enter).result() == "imported"
