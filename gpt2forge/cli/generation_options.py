"""The options of `generate` that choose tokens: each is a setting of `runtime.generation`."""

from collections.abc import Callable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from gpt2forge.cli.options import Command
from gpt2forge.errors import UserError

SHARE = click.FloatRange(0, 1, min_open=True)
ENDED = "besides those of the package"
USUAL = "the package's, or {}"

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-n",
        "--max-tokens",
        metavar="N",
        type=click.IntRange(1),
        help="Generate at most N tokens. Default: what the package says or 128, or what the context has room for.",
    ),
    click.option(
        "--min-tokens",
        metavar="N",
        type=click.IntRange(0),
        default=0,
        help="Let no token end a text before N new ones.",
    ),
    click.option(
        "-t",
        "--temperature",
        metavar="T",
        type=click.FloatRange(0),
        default=0.8,
        show_default=USUAL.format("0.8"),
        help="0 always takes the likeliest token; larger values give less likely tokens a better chance.",
    ),
    click.option(
        "--top-k",
        metavar="K",
        type=click.IntRange(0),
        default=0,
        show_default=USUAL.format("0"),
        help="Draw from the K likeliest tokens; 0: from all.",
    ),
    click.option(
        "--top-p",
        metavar="P",
        type=SHARE,
        default=0.95,
        show_default=USUAL.format("0.95"),
        help="Draw from the fewest tokens whose probabilities add up to P; 1: from all.",
    ),
    click.option(
        "--min-p",
        metavar="P",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=USUAL.format("0.0"),
        help="Draw from the tokens that are at least P times as likely as the likeliest; 0: from all.",
    ),
    click.option(
        "--typical-p",
        metavar="P",
        type=SHARE,
        default=1.0,
        help="Draw from the tokens nearest to the expected information whose probabilities add up to P; 1: from all.",
    ),
    click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(0),
        help="Equal seeds draw equal texts; the seed of each sample is one more than that of the one before. "
        "Default: a new one, which is written to stderr.",
    ),
    click.option(
        "--repetition-penalty",
        metavar="X",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=USUAL.format("1.0"),
        help="Above 1, makes tokens of the prompt and the new text less likely.",
    ),
    click.option(
        "--presence-penalty", metavar="X", type=float, default=0.0, help="Subtract X from the logits of new tokens."
    ),
    click.option(
        "--frequency-penalty",
        metavar="X",
        type=float,
        default=0.0,
        help="Subtract X from the logits of new tokens, for each time that they occur.",
    ),
    click.option(
        "--no-repeat-ngram",
        metavar="N",
        type=click.IntRange(0),
        default=0,
        help="Let no sequence of N tokens occur twice; 0: any may.",
    ),
    click.option(
        "--bias",
        "bias_texts",
        metavar="TOKEN=X",
        multiple=True,
        help="Add X to the logits of a token, given as text, as in `--bias ' the=-2'`; `-inf` forbids it.",
    ),
    click.option(
        "--ban", "banned", metavar="WORD", multiple=True, help="Do not write WORD, at the start or behind a space."
    ),
    click.option("--stop", metavar="TEXT", multiple=True, help=f"End a text before TEXT, {ENDED}."),
    click.option(
        "--end",
        "end_texts",
        metavar="TOKEN",
        multiple=True,
        help=f"End a text before this token, given as text, {ENDED}.",
    ),
    click.option("--ignore-end", is_flag=True, help="Let no token end a text."),
    click.option(
        "--overflow",
        type=click.Choice(["error", "truncate", "slide"]),
        default="error",
        help="If prompt and new tokens exceed the context: refuse, leave out the prompt's beginning, or go on from the "
        "newer half whenever the context is full.",
    ),
    click.option(
        "--speculative",
        "guesser",
        metavar="prompt-lookup|RECIPE|none",
        help="Guess tokens, and check several in one pass over the model: those that followed the last tokens before, "
        "or those that a smaller model finds likeliest. Default: for a single text, what the package says.",
    ),
    click.option(
        "--speculative-tokens",
        metavar="N",
        type=click.IntRange(1),
        help="Guess N tokens at once. Default: what the package says, or as many as pay.",
    ),
    click.option(
        "--beams",
        metavar="N",
        type=click.IntRange(1),
        default=1,
        help="Search the likeliest text with N beams, and draw nothing; 1: no search.",
    ),
    click.option("--force-word", "forced", metavar="WORD", multiple=True, help="With `--beams`: write WORD somewhere."),
    click.option(
        "--length-penalty",
        metavar="X",
        type=float,
        default=1.0,
        help="With `--beams`: the power of a text's length that its worth is divided by; above 0 favors longer texts.",
    ),
)

GREEDY_IDLE = ("top_k", "top_p", "min_p", "typical_p", "seed")
ENDLESS_IDLE = ("min_tokens", "end_texts")


def generation_options(command: Command) -> Command:
    """Add the options to a command, in the order of OPTIONS."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def list_given(context: click.Context) -> list[str]:
    """Return the names of the parameters that the command line gives."""
    return [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


def list_idle(context: click.Context, temperature: float, *, texts: int, has_guesses: bool) -> list[str]:
    """Return a line for each reason why options on the command line do nothing.

    `temperature` is the command line's, or else the package's; so many `texts` are written. `has_guesses`: the package
    has some.
    """
    values, given = context.params, list_given(context)
    is_alone = values["guesser"] not in (None, "none") or values["cache_path"] is not None
    greedy = "`--temperature 0`" if "temperature" in given else "the package's temperature of 0"
    causes = [
        (values["beams"] > 1, ("temperature", *GREEDY_IDLE), "`--beams` draws nothing"),
        (values["beams"] == 1, ("length_penalty",), "there are no `--beams`"),
        (temperature == 0 and values["beams"] == 1, GREEDY_IDLE, f"{greedy} draws nothing"),
        (values["ignore_end"], ENDLESS_IDLE, "`--ignore-end` lets no token end a text"),
        (not values["is_chat"], ("system",), "there is no `--chat`"),
        (values["guesser"] not in (None, "none"), ("batch",), "`--speculative` writes one text at a time"),
        (values["guesser"] == "none", ("speculative_tokens",), "`--speculative none` guesses nothing"),
        (values["guesser"] is None and not has_guesses, ("speculative_tokens",), "there is no `--speculative`"),
        (texts == 1 and not is_alone, ("batch",), "there is one text"),
        (temperature == 0 and values["beams"] == 1, ("samples",), f"{greedy} writes the same text each time"),
        (values["cache_path"] is not None, ("batch",), "`--prompt-cache` writes one text at a time"),
    ]
    found = (([name for name in given if name in idle], reason) for applies, idle, reason in causes if applies)
    return [format_idle(context, names, reason) for names, reason in found if names]


def format_idle(context: click.Context, names: list[str], reason: str) -> str:
    """Return one line for these options."""
    longest = {option.name: f"`{max(option.opts, key=len)}`" for option in context.command.params}
    return f"{', '.join(longest[name] for name in names)} {'have' if len(names) > 1 else 'has'} no effect: {reason}"


def read_bias(texts: tuple[str, ...], find_token: Callable[[str], int]) -> Mapping[int, float]:
    """Return the numbers of `--bias` by token. Raises UserError for a text without a number."""
    bias = {}
    for text in texts:
        word, _, number = text.rpartition("=")
        try:
            value, token = float(number), find_token(word)
        except ValueError as error:
            raise UserError(f"--bias: `{text}` is not TOKEN=NUMBER, as in `--bias ' the=-2'`") from error
        except UserError as error:
            raise UserError(f"--bias: {error}") from error
        if token in bias:
            raise UserError(f"--bias: `{word}` is named twice; leave out one")
        bias[token] = value
    return bias
