"""What is asked of an answer, whichever host gave it."""

from collections.abc import Sequence

from interop.hosts import Answer
from interop.prompts import MARGIN
from interop.reference import Continuation


def check_alone(answer: Answer, expected: Sequence[Continuation]) -> None:
    """The host made the same ids of the prompts, and went on with exactly the tokens that our own runtime gives."""
    assert min(continuation.lead for continuation in expected) > MARGIN
    assert answer.ids == [continuation.ids for continuation in expected]
    assert answer.alone == [continuation.tokens for continuation in expected]


def check_batch(answer: Answer, expected: Sequence[Continuation]) -> None:
    """Rows of different lengths, padded on the left, went on as each one alone."""
    assert len({len(continuation.ids) for continuation in expected}) == len(expected) > 1
    assert answer.batch == [continuation.tokens for continuation in expected]
