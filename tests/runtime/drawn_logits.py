"""Draws logits and texts, and runs the processors of transformers on them, to compare with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers.generation.logits_process import LogitsProcessor

Array = np.ndarray[Any, Any]

ROWS, VOCABULARY = 3, 1500


def draw_logits(seed: int, rows: int = ROWS, vocabulary: int = VOCABULARY) -> Array:
    """Return float32 logits (B, V), as spread as a model's."""
    return np.random.default_rng(seed).normal(0, 3, (rows, vocabulary)).astype(np.float32)


def draw_texts(seed: int, length: int, vocabulary: int = VOCABULARY, rows: int = ROWS) -> Array:
    """Return tokens (B, L)."""
    return np.random.default_rng(seed + 1000).integers(0, vocabulary, (rows, length))


def process(processor: LogitsProcessor, texts: Array | Sequence[Sequence[int]], logits: Array) -> Array:
    """Return what a processor of transformers makes of logits (B, V) behind texts (B, L)."""
    return np.asarray(processor(torch.tensor(np.asarray(texts)), torch.tensor(logits)).numpy())
