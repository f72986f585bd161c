"""Statistics of windows and their intervals."""

import numpy as np
import pytest

from gpt2forge.errors import UserError
from gpt2forge.measure.distributions import summarize_window
from gpt2forge.measure.divergence import Divergence
from gpt2forge.measure.fidelity import measure_fidelity, summarize
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.likelihood import Array
from tests.workshop import Workshop


def make_window(seed: int, length: int = 50) -> Divergence:
    random = np.random.default_rng(seed)
    kl = random.exponential(1e-3, length)
    targets = -random.exponential(3, length)
    return Divergence(kl, kl / 2, random.random(length) < 0.9, targets - 0.01, targets)


def test_numbers_are_those_of_all_positions() -> None:
    windows = [make_window(seed) for seed in range(10)]
    found = summarize(windows)
    kl = np.concatenate([window.kl for window in windows])
    assert found["kl_mean"] == pytest.approx(kl.mean())
    assert found["kl_median"] == pytest.approx(np.median(kl))
    assert found["kl_p99"] == pytest.approx(np.percentile(kl, 99))
    assert found["perplexity_increase"] == pytest.approx(np.exp(0.01) - 1)
    assert found["perplexity"] / found["perplexity_reference"] == pytest.approx(np.exp(0.01))


def test_intervals_hold_the_number_and_shrink_with_more_windows() -> None:
    few, many = (summarize([make_window(seed) for seed in range(count)]) for count in (8, 128))
    widths = []
    for found in (few, many):
        least, largest = found["intervals"]["kl_mean"]
        assert least < found["kl_mean"] < largest
        widths.append(largest - least)
    assert widths[1] < widths[0] / 2


def test_one_window_has_no_interval() -> None:
    assert summarize([make_window(0)])["intervals"] is None


def test_same_windows_give_the_same_intervals() -> None:
    windows = [make_window(seed) for seed in range(5)]
    assert summarize(windows) == summarize(windows)


def test_logits_that_are_no_numbers_are_one_line(workshop: Workshop) -> None:
    class Overflowing(Decoder):
        """A real package whose logits overflow."""

        def read(self, tokens: Array, attention_mask: Array | None = None) -> Array:
            return super().read(tokens, attention_mask) * np.float32(np.inf)

    decoder = Overflowing(**vars(open_decoder(workshop.build("nano-cpu-fp32"), threads=1)))
    reference = summarize_window(np.zeros((5, 4096), np.float32), [1] * 5, np.random.default_rng(0))
    with pytest.raises(UserError, match="the logits are not all finite numbers, so nothing can be measured"):
        measure_fidelity(decoder, reference, lambda *far: None)
