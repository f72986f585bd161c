"""How a text is generated: the settings that `generate` takes, in Python and as options of the command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isnan
from numbers import Integral, Real
from secrets import randbits
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from gpt2forge.errors import UserError, check_argument
from gpt2forge.runtime.package_settings import TEMPERATURE, TOP_P
from gpt2forge.runtime.sampling import Sampling

if TYPE_CHECKING:
    from gpt2forge.runtime.draft import Opened

Overflow = Literal["error", "truncate", "slide"]
Rule = tuple[Callable[[Any], bool], str]
MOST = 10_000
"""The largest number that is added to a logit, whatever its sign: what comes of it is finite in float32."""

WHOLE = ("max_tokens", "usual_tokens", "min_tokens", "top_k", "seed", "no_repeat_ngram", "beams", "speculative_tokens")
REAL = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "length_penalty",
)
OPTIONAL = ("max_tokens", "seed", "speculative_tokens")
LISTS: Mapping[str, type] = {"banned": str, "forced": str, "stop": str, "ends": Integral}
"""The settings by the types of their values, or of the members of their lists."""

RANGES: Mapping[str, Rule] = {
    "max_tokens": (lambda value: value >= 1, "1 or more"),
    "usual_tokens": (lambda value: value >= 1, "1 or more"),
    "min_tokens": (lambda value: value >= 0, "0 or more"),
    "temperature": (lambda value: 0 <= value < inf, "0 or more"),
    "top_k": (lambda value: value >= 0, "0 (all tokens) or more"),
    "top_p": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "min_p": (lambda value: 0 <= value <= 1, "from 0 to 1"),
    "typical_p": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "seed": (lambda value: value >= 0, "0 or more"),
    "repetition_penalty": (lambda value: 1e-3 <= value <= 1e3, "from 0.001 to 1000; 1 changes nothing"),
    "presence_penalty": (lambda value: abs(value) <= MOST, f"from -{MOST} to {MOST}; 0 changes nothing"),
    "frequency_penalty": (lambda value: abs(value) <= MOST, f"from -{MOST} to {MOST}; 0 changes nothing"),
    "no_repeat_ngram": (lambda value: value >= 0, "0 (off) or more"),
    "beams": (lambda value: value >= 1, "1 (none) or more"),
    "length_penalty": (lambda value: abs(value) <= 50, "from -50 to 50"),
    "overflow": (lambda value: value in get_args(Overflow), "`error`, `truncate` or `slide`"),
    "speculative": (lambda value: value == "prompt-lookup" or hasattr(value, "decoder"), "`prompt-lookup` or a model"),
    "speculative_tokens": (lambda value: value >= 1, "1 or more"),
}
"""The values that each setting may have, as a test and in words."""


class Options(TypedDict, total=False):
    """The settings of Generation but `max_tokens`, as keyword arguments with the defaults that they have there."""

    usual_tokens: int
    min_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    seed: int | None
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    no_repeat_ngram: int
    bias: Mapping[int, float]
    banned: Sequence[str]
    stop: Sequence[str]
    ends: Sequence[int]
    ignore_end: bool
    overflow: Overflow
    beams: int
    length_penalty: float
    forced: Sequence[str]
    speculative: "Literal['prompt-lookup'] | Opened | None"
    speculative_tokens: int | None


@dataclass(frozen=True)
class Generation:
    """The settings of one call of `generate`.

    max_tokens: the most tokens to add; None means `usual_tokens`, or what the context has room for.
    min_tokens: no token ends the text before it has this many new ones.
    temperature: 0 always takes the likeliest token; larger values give less likely tokens a better chance.
    top_k, top_p, min_p, typical_p: filters of the tokens to draw from; see `filters`.
    seed: equal seeds draw equal texts; None draws a seed.
    repetition_penalty: above 1, tokens of the prompt and the new text become less likely; see `penalties`.
    presence_penalty, frequency_penalty: subtracted from the logits of new tokens, once or for each time.
    no_repeat_ngram: no sequence of this many tokens occurs twice in prompt and text; 0 allows it.
    bias: added to the logits of these tokens; -inf forbids one.
    banned: words that are not written, as the tokenizer spells them alone and behind a space.
    stop: strings that end the text and are no part of it, besides those of the package.
    ends: tokens that end the text and are no part of it, besides those of the package.
    ignore_end: no token may end the text.
    overflow: what happens when prompt and text exceed the context; see `prompt`.
    beams: above 1, the likeliest text that a search with this many beams finds; nothing is drawn. See `beam_search`.
    forced: words that a search with beams writes somewhere in the text; see `forced_words`.
    speculative: guesses tokens and checks several in one pass; see `speculation`. `prompt-lookup` guesses from the text
    before, and a smaller model with the same vocabulary what it finds likeliest.
    speculative_tokens: how many tokens are guessed at once; None lets it follow how good the guesses are.
    length_penalty: of the search; above 0, longer texts are worth more than by the sum of their log-probabilities.
    """

    max_tokens: int | None = None
    usual_tokens: int = 128
    min_tokens: int = 0
    temperature: float = TEMPERATURE
    top_k: int = 0
    top_p: float = TOP_P
    min_p: float = 0.0
    typical_p: float = 1.0
    seed: int | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram: int = 0
    bias: Mapping[int, float] = field(default_factory=dict)
    banned: Sequence[str] = ()
    stop: Sequence[str] = ()
    ends: Sequence[int] = ()
    ignore_end: bool = False
    overflow: Overflow = "error"
    beams: int = 1
    length_penalty: float = 1.0
    forced: Sequence[str] = ()
    speculative: "Literal['prompt-lookup'] | Opened | None" = None
    speculative_tokens: int | None = None

    def __post_init__(self) -> None:
        """Raise TypeError or UserError, which name the setting, if a value is of a wrong type or out of range."""
        self.check_types()
        for name, (is_right, rule) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not is_right(value):
                raise UserError(f"{name.replace('_', '-')} is {value}; it must be {rule}")
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise UserError(f"min-tokens is {self.min_tokens}, more than max-tokens, {self.max_tokens}; lower it")
        if self.beams > 1 and self.overflow == "slide":
            raise UserError("beams cannot go past the context; use `overflow` `truncate`, or one beam")
        if self.beams > 1 and self.speculative:
            raise UserError("a search with beams guesses no tokens; use `speculative` with one beam")
        if self.forced and self.beams == 1:
            raise UserError("forced words need a search; set `beams` to 4 or more")
        if "" in (*self.banned, *self.forced, *self.stop):
            raise UserError("a stop string or a banned or forced word is empty; leave it out")

    def check_types(self) -> None:
        """Raise TypeError if a value is of a wrong type."""
        for name in WHOLE:
            if name not in OPTIONAL or getattr(self, name) is not None:
                check_argument(name, getattr(self, name), Integral)
        for name in REAL:
            check_argument(name, getattr(self, name), Real)
        check_argument("overflow", self.overflow, str)
        check_flag("ignore_end", self.ignore_end)
        for name, kind in LISTS.items():
            check_list(name, getattr(self, name), kind)
        check_bias(self.bias)

    @property
    def sampling(self) -> Sampling:
        """Return the settings that choose a token from the logits that the others leave."""
        return Sampling(self.temperature, self.top_k, self.top_p, self.min_p, self.typical_p)


def check_flag(name: str, value: object) -> None:
    """Raise TypeError unless the value is `True` or `False`."""
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be True or False, not {type(value).__name__}")


def check_list(name: str, values: object, kind: type) -> None:
    """Raise TypeError unless the values are a list or tuple of this kind: a text alone would be its characters."""
    if not isinstance(values, list | tuple):
        raise TypeError(f"`{name}` must be a list, not {type(values).__name__}")
    for value in values:
        check_argument(name, value, kind)


def check_bias(bias: object) -> None:
    """Raise TypeError or UserError unless this is a dict of numbers by token."""
    if not isinstance(bias, Mapping):
        raise TypeError(f"`bias` must be a dict of numbers by token, not {type(bias).__name__}")
    for token, number in bias.items():
        check_argument("bias", token, Integral)
        check_argument("bias", number, Real)
        if isnan(number) or (abs(number) > MOST and number != -inf):
            rule = f"from -{MOST} to {MOST}, or -inf to forbid it"
            raise UserError(f"bias of the token {token} is {number}; it must be {rule}")


def draw_seed(settings: Generation) -> Generation:
    """Return the settings with a seed, drawn unless they have one; without any if nothing is drawn."""
    if settings.temperature == 0 or settings.beams > 1:
        return replace(settings, seed=None)
    return settings if settings.seed is not None else replace(settings, seed=randbits(32))
