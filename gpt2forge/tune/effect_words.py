"""Says differences in words: a change with its interval, or `noise` in place of a change that may be none."""

from collections.abc import Iterator

from gpt2forge.tune.effect import Difference, Effect

NOTHING = "-"
HEAD = ("choice", "size", "new token", "prompt", "KL, nats a token")
"""The titles of the columns that `tabulate_effect` fills."""
NAMES = {"size": "size", "token": "a new token", "prompt": "a prompt", "kl": "KL"}


def format_difference(difference: Difference | None, form: str) -> str:
    """Return a change and its interval; `form` is that of a number, as in `+.1%`."""
    if difference is None:
        return NOTHING
    low, high = difference.interval
    if low == high:
        return f"{difference.value:{form}}"
    return f"{'noise' if difference.is_noise else f'{difference.value:{form}}'} [{low:{form}}, {high:{form}}]"


def format_share(difference: Difference | None) -> str:
    """Return a change as a percentage with its interval."""
    return format_difference(difference, "+.1%")


def format_divergence(difference: Difference | None) -> str:
    """Return a change in nats a token with its interval."""
    return format_difference(difference, "+.1e")


def tabulate_effect(effect: Effect) -> list[str]:
    """Return the row of a choice."""
    shares = [format_share(difference) for difference in (effect.size, effect.token, effect.prompt)]
    return [effect.choice, *shares, format_divergence(effect.kl)]


def describe_effect(effect: Effect) -> str:
    """Return the changes of all quantities that were measured, such as `size -12.0%, a prompt noise [-5.0%, +1.0%]`."""
    return ", ".join(list_changes(effect))


def list_changes(effect: Effect) -> Iterator[str]:
    for name, words in NAMES.items():
        difference: Difference | None = getattr(effect, name)
        if difference is not None:
            change = format_divergence(difference) if name == "kl" else format_share(difference)
            yield f"{words} {change}"
