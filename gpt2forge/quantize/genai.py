"""Describes a package for onnxruntime-genai: `genai_config.json`.

https://onnxruntime.ai/docs/genai/reference/config.html
"""

from typing import Any

from gpt2forge.graph.dimensions import Dimensions
from gpt2forge.graph.interface import ATTENTION_MASK, INPUT_IDS, LOGITS, POSITION_IDS
from gpt2forge.graph.model_file import GRAPH_FILE


def make_genai_config(
    config: Dimensions, begin_token: int, end_token: int, in_place: bool, device: str
) -> dict[str, Any]:
    """Return the content of `genai_config.json`: greedy search, up to the length of the context.

    `in_place`: the graph can extend its cache in its own memory. `device`: `cpu` or `cuda`.
    """
    providers: list[dict[str, Any]] = [] if device == "cpu" else [{device: {}}]
    return {
        "model": {
            "type": "decoder",
            "context_length": config.n_positions,
            "vocab_size": config.vocab_size,
            "bos_token_id": begin_token,
            "eos_token_id": end_token,
            "pad_token_id": end_token,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": providers},
                "filename": GRAPH_FILE,
                "head_size": config.head_width,
                "hidden_size": config.n_embd,
                "num_attention_heads": config.n_head,
                "num_hidden_layers": config.n_layer,
                "num_key_value_heads": config.n_head,
                "inputs": {
                    "input_ids": INPUT_IDS,
                    "attention_mask": ATTENTION_MASK,
                    "position_ids": POSITION_IDS,
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": LOGITS,
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {
            "do_sample": False,
            "max_length": config.n_positions,
            "min_length": 0,
            "num_beams": 1,
            "num_return_sequences": 1,
            "past_present_share_buffer": in_place,
            "repetition_penalty": 1.0,
            "temperature": 1.0,
            "top_k": 1,
            "top_p": 1.0,
        },
    }
