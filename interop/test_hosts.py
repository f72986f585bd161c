"""The published directories run in each host that supports batches."""

from pathlib import Path

import pytest

from interop.checks import check_alone, check_batch
from interop.conftest import CACHE, NANO
from interop.hosts import HOSTS, Answer
from interop.prompts import NEW, PROMPTS
from interop.reference import Continuation

PACKAGES = (*NANO, CACHE)


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
