"""Ends a text before the first of some strings, however the text is cut into pieces."""

from collections.abc import Sequence


class StopFinder:
    """Passes a text on piece by piece, up to the first of the strings `stops`, which may lie across several pieces.

    A piece waits while its end may be the beginning of such a string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = stops
        self.waiting = ""
        self.is_found = False

    def push(self, piece: str) -> str:
        """Return what is now sure to lie before any stop string. After one is found, nothing follows."""
        if self.is_found:
            return ""
        if not self.stops:
            return piece
        self.waiting += piece
        places = [place for stop in self.stops if (place := self.waiting.find(stop)) >= 0]
        if places:
            self.is_found = True
            return self.waiting[: min(places)]
        kept = max((count_begun(self.waiting, stop) for stop in self.stops), default=0)
        sure, self.waiting = self.waiting[: len(self.waiting) - kept], self.waiting[len(self.waiting) - kept :]
        return sure

    def finish(self) -> str:
        """Return what still waits at the end of the text."""
        return "" if self.is_found else self.waiting


def count_begun(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the beginning of a string."""
    return next((count for count in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-count:])), 0)
