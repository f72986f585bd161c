"""CTranslate2, with its own converter for models of transformers."""

import time
from pathlib import Path

import ctranslate2
from transformers import AutoTokenizer


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Convert a folder of transformers; the tokenizer's words are needed again to run it."""
    place = out / scheme
    ctranslate2.converters.TransformersConverter(str(weights)).convert(str(place), quantization=scheme, force=True)
    AutoTokenizer.from_pretrained(weights).save_pretrained(place)
    return place


class Peer:
    """It writes whole texts: what one token takes is the difference between many and one."""

    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        self.generator = ctranslate2.Generator(str(path), device="cpu", compute_type=path.name, intra_threads=threads)
        self.tokenizer = AutoTokenizer.from_pretrained(path)

    def run(self, prompt: list[int], new: int) -> dict[str, float]:
        first, whole = (self.take_time(prompt, count) for count in (1, new))
        return {"prefill_ms": first, "token_ms": (whole - first) / (new - 1)}

    def take_time(self, prompt: list[int], new: int) -> float:
        words = self.tokenizer.convert_ids_to_tokens(prompt)
        began = time.perf_counter()
        self.generate(words, new)
        return 1e3 * (time.perf_counter() - began)

    def write(self, prompt: list[int], new: int) -> list[int]:
        return self.generate(self.tokenizer.convert_ids_to_tokens(prompt), new)

    def generate(self, words: list[str], new: int) -> list[int]:
        (result,) = self.generator.generate_batch(
            [words], max_length=new, min_length=new, sampling_topk=1, include_prompt_in_result=False
        )
        ids: list[int] = result.sequences_ids[0]
        return ids
