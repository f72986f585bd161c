"""The published directories run in each host that supports batches, and in OpenVINO, which takes one prompt."""

from dataclasses import replace
from pathlib import Path

import pytest

from interop.checks import check_alone, check_batch
from interop.conftest import CACHE, FEW_ROWS, NANO
from interop.hosts import HOSTS, Answer, ask_python
from interop.prompts import NEW, PROMPTS
from interop.reference import Continuation
from tests.processors import every_processor
from tests.workshop import Workshop

PACKAGES = (*NANO, CACHE, FEW_ROWS)


@pytest.fixture(scope="module", params=HOSTS)
def answers(request: pytest.FixtureRequest, published: dict[str, Path]) -> dict[str, Answer]:
    host: str = request.param
    folders = [published[name] for name in PACKAGES]
    return dict(zip(PACKAGES, HOSTS[host](host, folders, PROMPTS, NEW), strict=True))


@pytest.mark.parametrize("name", PACKAGES)
def test_tokens_are_ours(name: str, answers: dict[str, Answer], expected: dict[str, list[Continuation]]) -> None:
    check_alone(answers[name], expected[name])


@pytest.mark.parametrize("name", PACKAGES)
def test_rows_of_a_batch_go_on_as_each_alone(
    name: str, answers: dict[str, Answer], expected: dict[str, list[Continuation]]
) -> None:
    check_batch(answers[name], expected[name])


BRIEF = 8  # tokens that OpenVINO generates after each of FEW
FEW = PROMPTS[:2]
QUANTIZED, CLASSIC = NANO[1:], "nano-standard-attention"


@pytest.fixture(scope="module")
def opened_by_openvino(published: dict[str, Path], workshop: Workshop) -> dict[str, Answer]:
    words = ("--set", "fusion.attention=false", "--name", CLASSIC, "--skip", "verify,benchmark")
    workshop.run("build", "nano-cpu-fp32", *words)
    folders = {name: published[name] for name in QUANTIZED} | {CLASSIC: workshop.folder / "build" / CLASSIC}
    with every_processor():  # with one, a batch that OpenVINO cannot compute gives no logits or ends the process
        answers = ask_python("openvino_runtime", list(folders.values()), FEW, BRIEF)
    return dict(zip(folders, answers, strict=True))


def shorten(expected: list[Continuation]) -> list[Continuation]:
    return [replace(each, tokens=each.tokens[:BRIEF]) for each in expected[: len(FEW)]]


@pytest.mark.parametrize("name", QUANTIZED)
def test_openvino_continues_one_prompt_at_a_time(
    name: str, opened_by_openvino: dict[str, Answer], expected: dict[str, list[Continuation]]
) -> None:
    check_alone(opened_by_openvino[name], shorten(expected[name]))
    assert opened_by_openvino[name].batch is None


def test_openvino_takes_batches_of_attention_in_standard_operators(
    opened_by_openvino: dict[str, Answer], expected: dict[str, list[Continuation]]
) -> None:
    check_alone(opened_by_openvino[CLASSIC], shorten(expected["nano-cpu-fp32"]))
    check_batch(opened_by_openvino[CLASSIC], shorten(expected["nano-cpu-fp32"]))


def test_openvino_opens_no_package_with_two_products_of_each_weight(published: dict[str, Path]) -> None:
    with pytest.raises(AssertionError, match="accepting only a constant as a B input"):
        ask_python("openvino_runtime", [published[FEW_ROWS]], FEW, BRIEF)


def test_openvino_reads_an_int8_cache_wrongly(
    published: dict[str, Path], expected: dict[str, list[Continuation]]
) -> None:
    """It writes other tokens, or reads memory that is not its own, which often ends its process."""
    try:
        (answer,) = ask_python("openvino_runtime", [published[CACHE]], FEW, BRIEF)
    except AssertionError as error:
        assert "exit code" in str(error)
    else:
        assert answer.alone != [each.tokens for each in shorten(expected[CACHE])]
