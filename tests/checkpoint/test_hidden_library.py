"""Libraries that are hidden while another is imported."""

import sys

import pytest

from gpt2forge.checkpoint.hidden_library import hidden


def test_a_hidden_library_is_there_again_afterwards() -> None:
    sys.modules.pop("wave", None)
    with hidden("wave", "no_such_library"), pytest.raises(ImportError):
        import wave
    import wave

    with hidden("wave", "no_such_library"):  # hiding it would part it from those who have it
        import wave as again
    assert again is wave


def test_nothing_is_hidden_from_a_library_that_may_know_it_already() -> None:
    sys.modules.pop("wave", None)
    with hidden("wave", "sys"):
        import wave
    assert wave.open
