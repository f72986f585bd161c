"""CTranslate2, with the tokenizer of transformers."""

from pathlib import Path

import ctranslate2
from transformers import AutoTokenizer


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        self.generator = ctranslate2.Generator(str(path), device="cpu", compute_type=path.name, intra_threads=threads)
        self.tokenizer = AutoTokenizer.from_pretrained(path)

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        words = [self.tokenizer.convert_ids_to_tokens(self.tokenizer(prompt).input_ids) for prompt in prompts]
        results = self.generator.generate_batch(
            words, max_length=new, min_length=new, sampling_topk=1, include_prompt_in_result=False
        )
        texts = [result.sequences_ids[0] for result in results]
        self.tokenizer.batch_decode(texts)
        return [len(text) for text in texts]
