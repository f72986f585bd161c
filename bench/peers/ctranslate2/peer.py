"""CTranslate2, with its own converter for models of transformers."""

import time
from itertools import pairwise
from pathlib import Path

import ctranslate2
import numpy as np
from transformers import AutoTokenizer

from bench.peers.stepwise import Array


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Convert a folder of transformers, and keep its tokenizer, whose words running it needs."""
    place = out / scheme
    ctranslate2.converters.TransformersConverter(str(weights)).convert(str(place), quantization=scheme, force=True)
    AutoTokenizer.from_pretrained(weights).save_pretrained(place)
    return place


class Peer:
    """A system that writes whole texts, and calls back with each token of each of them."""

    def __init__(self, path: Path, threads: int) -> None:
        self.read_bytes = (path / "model.bin").stat().st_size
        self.generator = ctranslate2.Generator(str(path), device="cpu", compute_type=path.name, intra_threads=threads)
        self.tokenizer = AutoTokenizer.from_pretrained(path)

    def write(self, prompts: list[list[int]], new: int) -> tuple[list[list[int]], list[float]]:
        words = [self.tokenizer.convert_ids_to_tokens(prompt) for prompt in prompts]
        seen: dict[int, float] = {}
        began = time.perf_counter()
        results = self.generator.generate_batch(
            words,
            max_length=new,
            min_length=new,
            sampling_topk=1,
            include_prompt_in_result=False,
            callback=lambda token: bool(seen.setdefault(token.step, time.perf_counter()) < 0),
        )
        moments = [began, *(seen[step] for step in sorted(seen))]
        assert len(moments) == new + 1
        texts = [result.sequences_ids[0] for result in results]
        return texts, [1e3 * (after - before) for before, after in pairwise(moments)]

    def read(self, tokens: list[int]) -> Array:
        return np.asarray(np.array(self.generator.forward_batch([tokens]))[0])
