"""The description of this machine."""

import json

from gpt2forge.measure.host import count_threads, describe_host


def test_a_host_is_described_the_same_twice_and_as_json() -> None:
    assert describe_host() == json.loads(json.dumps(describe_host()))
    assert describe_host()["threads"] == count_threads() >= 1
    assert describe_host()["processor"]
