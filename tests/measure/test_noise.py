"""Disturbances made on purpose are detected."""

import subprocess
import sys
import time

import psutil

from gpt2forge.measure.noise import OtherPrograms, find_noise

SPIN = "while True: pass"
WORK = 0.5  # seconds of processor time


def test_a_program_that_works_meanwhile_is_noticed_unless_it_is_measured_itself() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        spinner, began = psutil.Process(process.pid), time.monotonic()
        whole, but_it = OtherPrograms([]), OtherPrograms([process.pid])
        while spinner.cpu_times().user < WORK:
            time.sleep(0.02)
        seen, unseen, seconds = whole.measure(), but_it.measure(), time.monotonic() - began
        process.kill()
    assert (seen - unseen) * seconds > 0.8 * WORK


def test_busy_machine_and_uneven_rounds_are_reported() -> None:
    even, outlier, uneven = [1.0, 1.01, 1.1], [1.0, 1.01, 3.0], [1.0, 2.0, 3.0]
    assert find_noise(0.0, {"token_ms": even, "prefill_ms": outlier}) == []
    assert find_noise(1.26, {"token_ms": even, "prefill_ms": uneven}) == [
        "other programs used 1.3 processors during the measurement",
        "rounds of `prefill_ms` differ by 50%",
    ]
