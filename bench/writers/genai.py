"""onnxruntime-genai, with a package of ours: it has no converter for GPT-2 of its own."""

import json
from pathlib import Path

import onnxruntime_genai


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        config = onnxruntime_genai.Config(str(path))
        options = {"session_options": {"intra_op_num_threads": threads}}
        config.overlay(json.dumps({"model": {"decoder": options}}))
        self.model = onnxruntime_genai.Model(config)
        self.tokenizer = onnxruntime_genai.Tokenizer(self.model)

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        ids = self.tokenizer.encode_batch(prompts)  # pads to the longest
        longest = ids.shape()[1]
        parameters = onnxruntime_genai.GeneratorParams(self.model)
        length = longest + new
        parameters.set_search_options(batch_size=len(prompts), max_length=length, min_length=length, do_sample=False)
        generator = onnxruntime_genai.Generator(self.model, parameters)
        generator.append_tokens(ids)
        while not generator.is_done():
            generator.generate_next_token()
        texts = [generator.get_sequence(row)[longest:] for row in range(len(prompts))]
        for text in texts:
            self.tokenizer.decode(text)
        return [len(text) for text in texts]
