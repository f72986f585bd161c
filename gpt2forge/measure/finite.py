"""Refuses what is no number: it compares with nothing, and would pass every limit."""

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.likelihood import Array


def check_finite(values: Array) -> None:
    """Raises UserError unless all values are finite."""
    if not np.isfinite(values).all():
        raise UserError("the logits are not all finite numbers, so nothing can be measured; are the weights sound?")
