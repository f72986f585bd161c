"""Test what `profile` advises about the form of the weights."""

import pytest

from gpt2forge.tune.advice import FormTime, advise_granularity

TIMES = [FormTime("8x128", 0.8, 3.0), FormTime("8xchannel", 1.0, 2.0)]
CHANNEL = {"scheme": "int8", "granularity": "channel", "few_rows": "channel"}


@pytest.mark.parametrize(
    ("quantization", "advised"),
    [
        (CHANNEL, ["`granularity`: 8 bits with `granularity: 128`", "`few_rows`: with `few_rows: blocks`"]),
        ({**CHANNEL, "few_rows": "blocks"}, []),
        ({"scheme": "int8", "granularity": 128}, ["`granularity`: 8 bits with `granularity: channel`"]),
        ({"scheme": "int8", "granularity": 64}, []),  # was not timed
    ],
)
def test_advice_is_about_what_a_package_takes_now(quantization: dict[str, object], advised: list[str]) -> None:
    lines = list(advise_granularity(quantization, TIMES))
    assert len(lines) == len(advised)
    assert all(line.startswith(start) for line, start in zip(lines, advised, strict=True))
