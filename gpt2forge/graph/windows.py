"""How a text is cut for scoring: into windows as long as the model's context, one after the other.

1. The stride is the window's length: no token is read twice.
2. The first token of a window is read and not predicted; each other one is predicted from all before it in its window.
3. The last window may be shorter; one token alone predicts nothing and is left out.
"""

from collections.abc import Sequence


def cut_windows(tokens: Sequence[int], context: int, most: int | None = None) -> list[list[int]]:
    """The windows of the first `most` tokens (all, unless given); each holds 2 to `context` of them."""
    used = tokens[:most]
    windows = [list(used[start : start + context]) for start in range(0, len(used), context)]
    return [window for window in windows if len(window) > 1]
