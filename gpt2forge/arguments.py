"""Judges what a Python program passes in, so that a slip is told by the argument's name."""

from numbers import Integral, Real

WORDS: dict[type, str] = {str: "text (str)", Integral: "a whole number", Real: "a number"}


def check_argument(name: str, value: object, kind: type) -> None:
    """Raises TypeError unless the value is of this kind; `True` and `False` are no numbers."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {WORDS[kind]}, not {type(value).__name__}")
