"""The description of this machine."""

import json

from gpt2forge.measure.host import describe_host, describe_machine, describe_processor
from gpt2forge.processors import count_cores, count_threads


def test_a_host_is_described_the_same_twice_and_as_json() -> None:
    assert describe_host() == json.loads(json.dumps(describe_host()))
    assert describe_host()["threads"] == count_threads() >= 1
    assert describe_host()["processor"]


def test_machine_is_one_line_of_its_processor_and_threads() -> None:
    assert describe_machine() == f"{describe_processor()}, {count_threads()} threads on {count_cores()} cores"
    assert "\n" not in describe_machine()
    assert 1 <= count_cores() <= count_threads()
