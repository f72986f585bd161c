"""The description of a checkpoint that `inspect` shows."""

from pathlib import Path

import pytest

from gpt2forge.checkpoint.describe import TRAINER_NOTE, describe_checkpoint
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, write_huggingface
from tests.checkpoint.tiny import DATA

CONFIG = {
    "vocab_size": 260,
    "n_positions": 8,
    "n_embd": 8,
    "n_head": 2,
    "n_layer": 2,
    "n_inner": 32,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "ends": (0,),
}


def test_gpt2_simple_run_is_described() -> None:
    told = describe_checkpoint(DATA / "run1")
    left_out = told.pop("left_out")
    assert {"name": "global_step", "dtype": "I64", "bytes": 8} in left_out
    assert len(left_out) == 59
    assert told == {
        "layout": "tf1",
        "folder": str(DATA / "run1"),
        "ignored": [],
        "tokenizer": {"kind": "byte-level BPE", "added": ["<|endoftext|>"], "chat_template": False},
        "notes": [TRAINER_NOTE],
        "files": [
            "checkpoint",
            "encoder.json",
            "hparams.json",
            "model-1000.data-00000-of-00001",
            "model-1000.index",
            "vocab.bpe",
        ],
        "step": 1000,
        "config": CONFIG,
        "vocabulary": 260,
        "separate_head": False,
        "tensors": 28,
        "parameters": 3904,
        "bytes": 15616,
        "dtypes": {"F32": 28},
    }


def test_types_are_counted() -> None:
    told = describe_checkpoint(DATA / "mixed")
    assert told["dtypes"] == {"BF16": 9, "F16": 9, "F32": 10}
    assert told["bytes"] == 12064 + 1312 + 464
    assert told["step"] is None


def test_hugging_face_directory_is_described(tmp_path: Path) -> None:
    told = describe_checkpoint(write_huggingface(tmp_path, make_model(tie_word_embeddings=False)))
    assert (told["layout"], told["config"], told["separate_head"]) == ("huggingface", CONFIG, True)
    assert (told["tensors"], told["parameters"], told["left_out"]) == (29, 3904 + 260 * 8, [])


def test_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, make_model(vocab_size=250))
    with pytest.raises(UserError) as error:
        describe_checkpoint(folder)
    assert str(error.value) == (
        f"{folder}: the tokenizer has ids up to 259, but the model only 250 tokens; is it the one of this checkpoint?"
    )
