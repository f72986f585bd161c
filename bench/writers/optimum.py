"""Optimum's model, with the `generate` of transformers."""

from pathlib import Path

import onnxruntime
from optimum.onnxruntime import ORTModelForCausalLM
from transformers import AutoTokenizer


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.model = ORTModelForCausalLM.from_pretrained(
            path, file_name="model_quantized.onnx", session_options=options
        )
        self.tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
        self.tokenizer.pad_token = self.tokenizer.eos_token

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        ids = self.tokenizer(prompts, return_tensors="pt", padding=True)
        pad = self.tokenizer.pad_token_id
        found = self.model.generate(**ids, max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=pad)
        texts = found[:, ids.input_ids.shape[1] :].tolist()
        self.tokenizer.batch_decode(texts)
        return [len(text) for text in texts]
