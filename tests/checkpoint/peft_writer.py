"""Lets the real peft write adapters of a tiny GPT-2 and the logits that it computes with them, into tests/data/peft.

    python -m tests.checkpoint.peft_writer    needs peft beside PyTorch and transformers; peft 0.21.2 wrote those there

`logits.json` of a case holds the logits of IDS, computed by peft after loading what it saved, without merging it.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import GPT2LMHeadModel

from tests.checkpoint.huggingface_writer import make_model, write_huggingface
from tests.checkpoint.tiny import DATA

IDS = [5, 250, 17, 3, 99, 0, 1]
FOLDER = DATA / "peft"
LINEAR = ["c_attn", "c_proj", "c_fc"]
CASES: dict[str, dict[str, Any]] = {
    "all": {"r": 4, "lora_alpha": 16, "target_modules": LINEAR, "fan_in_fan_out": True},
    "patterns": {
        "r": 4,
        "target_modules": LINEAR,
        "rank_pattern": {"c_fc": 2, "^transformer.h.1.attn.c_attn": 3},
        "alpha_pattern": {"h.0.mlp.c_proj": 32},
    },
    "rslora": {"r": 3, "lora_alpha": 5, "target_modules": ["c_attn"], "use_rslora": True},
    "head": {"r": 2, "target_modules": ["c_attn", "lm_head"]},
    "saved-head": {"r": 2, "target_modules": ["c_attn"], "modules_to_save": ["lm_head"]},
    "saved-embedding": {"r": 2, "target_modules": ["c_attn"], "modules_to_save": ["wte", "ln_f"]},
    "biases": {"r": 2, "target_modules": ["c_attn", "c_fc"], "bias": "all"},
    "resized": {"r": 2, "target_modules": ["c_attn"], "modules_to_save": ["wte", "lm_head"]},
}


def write_case(base: Path, folder: Path, rows: int, **config: Any) -> None:
    """Write an adapter with random weights, and peft's logits with it."""
    model = load(base, rows)
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **config))
    torch.manual_seed(3)
    for weight in tuned.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(folder)
    again = PeftModel.from_pretrained(load(base, rows), str(folder)).eval()
    with torch.no_grad():
        logits = again(torch.tensor([IDS])).logits[0]
    (folder / "logits.json").write_text(json.dumps([[round(value, 5) for value in row] for row in logits.tolist()]))
    (folder / "README.md").unlink(missing_ok=True)


def load(base: Path, rows: int) -> GPT2LMHeadModel:
    model = GPT2LMHeadModel.from_pretrained(base)
    if rows != model.config.vocab_size:
        model.resize_token_embeddings(rows)
    return model


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_huggingface(FOLDER / "base", make_model())
    for name, config in CASES.items():
        write_case(FOLDER / "base", FOLDER / name, 262 if name == "resized" else 260, **config)


if __name__ == "__main__":
    main()
