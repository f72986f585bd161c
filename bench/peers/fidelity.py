"""The fidelity of every system to PyTorch on a text, from its logits of the windows that `verify` reads."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.process import Peer, PeerFault
from bench.plan import Plan
from gpt2forge.measure.distributions import Reference, summarize_window
from gpt2forge.measure.divergence import compare_window
from gpt2forge.measure.fidelity import summarize
from gpt2forge.runtime.text import cut_windows, encode_beginning, read_tokenizer

TEXT = "heldout.txt"


@dataclass
class Yardstick:
    """The text's windows, and the distributions of the first system, with which the others are compared."""

    windows: list[list[int]]
    reference: list[Reference] = field(default_factory=list)

    def measure(self, peer: Peer) -> dict[str, Any]:
        """Return perplexity, divergence in nats, agreement and their intervals. Raises PeerFault."""
        random, found = np.random.default_rng(0), []
        is_first = not self.reference
        with tempfile.TemporaryDirectory() as folder:
            for place, window in enumerate(self.windows):
                logits = np.load(peer.ask("read", tokens=window, out=str(Path(folder) / "logits.npy")))
                if logits.shape[0] != len(window) or not np.isfinite(logits).all():
                    raise PeerFault(f"logits of shape {logits.shape} for {len(window)} tokens, or not finite")
                if is_first:
                    self.reference.append(summarize_window(logits, window, random))
                found.append(compare_window(logits, self.reference[place]))
        return summarize(found)


def cut_text(plan: Plan, weights: Path) -> Yardstick:
    """Return the windows of the trained example's held-out text."""
    text = (plan.checkpoint / TEXT).read_text(encoding="utf-8")
    return Yardstick(cut_windows(encode_beginning(read_tokenizer(weights), text, plan.tokens), plan.shape.n_ctx))
