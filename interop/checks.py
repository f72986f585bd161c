"""Checks the answer of any host."""

from collections.abc import Sequence

from interop.hosts import Answer
from interop.prompts import MARGIN
from interop.reference import Continuation


def check_alone(answer: Answer, expected: Sequence[Continuation]) -> None:
    """Assert that the host encoded the prompts to the same ids and generated the same tokens as our own runtime."""
    assert min(continuation.lead for continuation in expected) > MARGIN
    assert answer.ids == [continuation.ids for continuation in expected]
    assert answer.alone == [continuation.tokens for continuation in expected]


def check_batch(answer: Answer, expected: Sequence[Continuation]) -> None:
    """Assert that rows of different lengths, padded on the left, give the same tokens as each row alone."""
    assert len({len(continuation.ids) for continuation in expected}) == len(expected) > 1
    assert answer.batch == [continuation.tokens for continuation in expected]
