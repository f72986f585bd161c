"""The model and its training, in PyTorch."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel


@dataclass(frozen=True)
class Settings:
    """The shape of the model and how it is trained; `batch` windows of `context` tokens a step."""

    vocabulary: int = 4096
    context: int = 256
    width: int = 128
    heads: int = 4
    layers: int = 4
    batch: int = 24
    steps: int = 3480
    peak_rate: float = 2.5e-3
    weight_decay: float = 0.05
    seed: int = 0


def make_model(settings: Settings) -> GPT2LMHeadModel:
    """A GPT-2 with fresh weights, without dropout: so small a model hardly overfits."""
    config = GPT2Config(
        vocab_size=settings.vocabulary,
        n_positions=settings.context,
        n_embd=settings.width,
        n_head=settings.heads,
        n_layer=settings.layers,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=settings.vocabulary - 1,
        eos_token_id=settings.vocabulary - 1,
        loss_type="ForCausalLMLoss",
    )
    return GPT2LMHeadModel(config)


def make_optimizer(model: GPT2LMHeadModel, settings: Settings) -> torch.optim.Optimizer:
    """AdamW that lets only matrices decay."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.peak_rate, betas=(0.9, 0.95))


def choose_rate(step: int, settings: Settings) -> float:
    """The learning rate: up in a straight line for 3 % of the steps, then down a cosine to a tenth of the peak."""
    warm = max(1, settings.steps * 3 // 100)
    if step < warm:
        return settings.peak_rate * (step + 1) / warm
    share = (step - warm) / max(1, settings.steps - warm)
    return settings.peak_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def draw_batches(tokens: np.ndarray, settings: Settings) -> Iterator[torch.Tensor]:
    """Windows from anywhere in the text, for ever."""
    random = np.random.default_rng(settings.seed)
    while True:
        starts = random.integers(0, len(tokens) - settings.context, settings.batch)
        yield torch.from_numpy(np.stack([tokens[start : start + settings.context] for start in starts]))  # (B, S)


@torch.inference_mode()
def measure_loss(model: GPT2LMHeadModel, tokens: np.ndarray, settings: Settings, windows: int) -> float:
    """Nats a token over the first windows of the text, each alone."""
    count = min(windows, len(tokens) // settings.context)
    rows = torch.from_numpy(tokens[: count * settings.context].reshape(count, settings.context))  # (B, S)
    losses = [model(batch, labels=batch).loss.item() * len(batch) for batch in rows.split(settings.batch)]
    return sum(losses) / count


def train_model(training: np.ndarray, heldout: np.ndarray, settings: Settings) -> GPT2LMHeadModel:
    """Train on one row of tokens, telling now and then the loss on the other."""
    torch.manual_seed(settings.seed)
    model = make_model(settings)
    optimizer = make_optimizer(model, settings)
    began = time.monotonic()
    for step, batch in zip(range(settings.steps), draw_batches(training, settings), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = choose_rate(step, settings)
        loss = model(batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == settings.steps:
            windows = 120 if step + 1 < settings.steps else len(heldout)
            loss_heldout = measure_loss(model, heldout, settings, windows)
            say_progress(step + 1, loss.item(), loss_heldout, time.monotonic() - began, settings)
    return model


def say_progress(done: int, loss: float, heldout: float, seconds: float, settings: Settings) -> None:
    left = seconds / done * (settings.steps - done)
    rate = done * settings.batch * settings.context / seconds
    losses = f"loss {loss:.3f}  held out {heldout:.3f}"
    print(f"step {done}/{settings.steps}  {losses}  {rate:.0f} tokens/s  {left:.0f} s left", file=sys.stderr)
