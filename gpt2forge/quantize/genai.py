"""Describes a package for onnxruntime-genai: `genai_config.json`.

https://onnxruntime.ai/docs/genai/reference/config.html
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gpt2forge.graph.dimensions import Dimensions
from gpt2forge.graph.interface import ATTENTION_MASK, INPUT_IDS, LOGITS, POSITION_IDS
from gpt2forge.graph.model_file import GRAPH_FILE

SAMPLING: Mapping[str, Callable[[Any], bool]] = {
    "do_sample": lambda value: isinstance(value, bool),
    "temperature": lambda value: is_number(value) and value > 0,
    "top_k": lambda value: type(value) is int and value >= 0,
    "top_p": lambda value: is_number(value) and 0 < value <= 1,
    "repetition_penalty": lambda value: is_number(value) and value > 0,
}
"""The settings of generation_config.json that mean the same to onnxruntime-genai, with the values that it takes."""

LIKELIEST: Mapping[str, Any] = {"do_sample": False, "repetition_penalty": 1.0, "temperature": 1.0, "top_p": 1.0}
"""The settings of a search for the likeliest token each time."""

ENDLESS = (
    "onnxruntime-genai needs a token that ends a text, and the model names none: it will run to its limit, "
    "and it will never write the token {pad}, {why}"
)


class Tokens(Dimensions, Protocol):
    """The shape of a model, and the tokens that begin, end and pad its texts."""

    @property
    def ends(self) -> tuple[int, ...]: ...
    @property
    def bos_token_id(self) -> int | None: ...
    @property
    def pad_token_id(self) -> int | None: ...


def is_number(value: object) -> bool:
    return type(value) in (int, float)


def describe_tokens(config: Tokens) -> dict[str, int | list[int]]:
    """Return the ids of the tokens that begin, end and pad a text.

    Where nothing pads a text, its first end does, as in transformers. Without an end, onnxruntime-genai 0.18 takes the
    padding for one, and without both the token 0. So the last token of the vocabulary, the rarest, pads a text then.
    """
    ends = list(config.ends) if len(config.ends) > 1 else config.ends[0] if config.ends else None
    pad = config.pad_token_id
    if pad is None:
        pad = config.ends[0] if config.ends else config.vocab_size - 1
    found = {"bos_token_id": config.bos_token_id, "eos_token_id": ends, "pad_token_id": pad}
    return {key: value for key, value in found.items() if value is not None}


def list_notes(config: Tokens) -> list[str]:
    """Return what a user of onnxruntime-genai should know of the package."""
    if config.ends:
        return []
    pad, is_named = describe_tokens(config)["pad_token_id"], config.pad_token_id is not None
    return [ENDLESS.format(pad=pad, why="which pads a text" if is_named else "the last of the vocabulary")]


def take_sampling(generation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a generation_config.json that onnxruntime-genai takes."""
    return {key: generation[key] for key, is_valid in SAMPLING.items() if is_valid(generation.get(key))}


def change_search(search: Mapping[str, Any], generation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `search` of a genai_config.json that chooses tokens as another generation_config.json says."""
    kept = {key: value for key, value in search.items() if key not in SAMPLING}
    return {**kept, **LIKELIEST, **take_sampling(generation)}


def make_genai_config(config: Tokens, generation: Mapping[str, Any], in_place: bool, device: str) -> dict[str, Any]:
    """Return the content of `genai_config.json`, for texts up to the length of the context.

    `generation` holds the model's settings for generating text; without any, search is greedy. `top_k` is left out
    unless the model has it, as `"top_k": 1` would keep a caller's `do_sample` from having any effect; the default of
    onnxruntime-genai is 50. A `min_length` of the whole context forbids the only end where the model has none.
    `in_place`: the graph can extend its cache in its own memory. `device`: `cpu` or `cuda`.
    """
    providers: list[dict[str, Any]] = [] if device == "cpu" else [{device: {}}]
    return {
        "model": {
            "type": "decoder",
            "context_length": config.n_positions,
            "vocab_size": config.vocab_size,
            **describe_tokens(config),
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
            "max_length": config.n_positions,
            "min_length": 0 if config.ends else config.n_positions,
            "num_beams": 1,
            "num_return_sequences": 1,
            "past_present_share_buffer": in_place,
            **LIKELIEST,
            **take_sampling(generation),
        },
    }
