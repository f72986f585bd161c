"""Decides how many tokens to guess, so that guesses that were wrong cost next to nothing.

It keeps an account in units of one step of one token: a right guess saves a step, and a pass takes longer than a step.
A guess must be covered by what the account has, so that all guesses together never lose more than `FREE` steps and
`SHARE` of the others. A guess that is all right doubles the next one; a wrong one cuts it down to what was right.
"""

PASS, COST = 0.15, 0.15
"""Steps that a pass takes more than a step, and those that each guessed token adds. For a 774M model in int8 it is 0.6
in all for three tokens and 1.1 for seven; for the example it is less, but the program's own share is more."""
FREE = 0.6  # steps that may be lost in any text, or as many as one guess costs
SHARE = 0.015  # of the steps
MOST = 8  # tokens in a guess
MISSES, PAUSE = 16, 3  # after so many steps for which there was no guess, one is looked for at every third token


class GuessLength:
    """The length of the next guess, by how the earlier ones did; to guess a token takes `cost` more steps.

    A length that is `fixed` follows nothing.
    """

    def __init__(self, cost: float = 0.0, fixed: int | None = None) -> None:
        self.cost, self.fixed = COST + cost, fixed
        self.account = max(FREE, PASS + 2 * self.cost)
        self.next = 2
        self.misses = self.pause = 0

    @property
    def allowed(self) -> int:
        """Return how many tokens may be guessed now."""
        if self.fixed is not None:
            return self.fixed
        if self.pause:
            return 0
        return max(min(self.next, int((self.account - PASS) / self.cost)), 0)

    def count_token(self) -> None:
        """Count a new token of the text, which would have been a step."""
        self.account += SHARE
        if self.pause:
            self.pause -= 1

    def count_miss(self) -> None:
        """Count a step for which there was no guess."""
        self.misses += 1
        if self.misses >= MISSES:
            self.pause = PAUSE

    def count_guess(self, guessed: int, right: int) -> None:
        """Count a pass that checked `guessed` tokens, of which the first ones were right."""
        self.misses = 0
        self.account += right - PASS - self.cost * guessed
        self.next = min(2 * guessed, MOST) if right == guessed else max(right, 1)

    def count_repeated(self, steps: int) -> None:
        """Count steps that were taken only to be sure."""
        self.account -= steps
