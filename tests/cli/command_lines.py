"""Draws command lines of gpt2forge: right, nearly right and wrong ones, from the options that the commands declare."""

import random
from collections.abc import Iterator, Sequence

import click

from gpt2forge.cli.program import COMMANDS, load_command

RECIPE = "plain"
"""The recipe that is built, without measurements."""

ODD = [
    *(
        "",
        ".",
        "..",
        "/",
        "-",
        "--",
        "@",
        "=",
        "~",
        "*",
        "?",
        "[",
        "[a",
        "a@b@c",
        "nano*",
        "*@*",
        "a" * 300,
        "a/" * 3000,
    ),
    *(
        "\x1b[31mred",
        "line\nline",
        "\udcff",
        "\u202e",
        "🙂",
        "%s%n",
        "{0}",
        "[red]x[/red]",
        ":smile:",
        "None",
        "-1",
        "0",
    ),
    *("1e999", "nan", "9" * 30, "true", "null", "/dev/null", "/dev/zero", "/proc/self/mem", "/etc", "recipes/x.yaml"),
    *("hf://a/b", "openai://124M", "file:///etc", "../" * 40, "C:\\x", "x.yaml", "x.json", "build", "cache", "pipe"),
]
CHANGES = [
    *(
        "quantization.scheme=int4",
        "~fusion",
        "target.device=cuda",
        "verify.text=pipe",
        "source.step=1",
        "a.b=c",
        "=",
        "~",
    ),
    *("quantization.skip=[1, {}]", "quantization={", "name=x", "extends=a", "quantization.overrides={h*: {bits: 4}}"),
    *(
        "source.checkpoint=pk",
        "source.checkpoint=/",
        "source.tokenizer=pipe",
        "verify.tokens=1e9",
        ".".join("a" * 5000),
    ),
    *("source.checkpoint=\x1b[31m", "calibration={text: recipes/base/cpu.yaml}", "verify=null", "benchmark.rounds=-1"),
]
PLACES = ["examples/nano", "pk", "build/plain", "recipes", "cache", "pipe", "loop", "."]
GOOD = {
    "selectors": [RECIPE, RECIPE, "nano-cpu-int8", "recipes/plain.yaml"],
    "selector": [RECIPE, RECIPE, "build/plain", "./pk"],
    "other": ["nano-cpu-int4"],
    "stage": ["convert", "quantize", "verify"],
    "rerun": ["quantize"],
    "until": ["convert", "export"],
    "skip": ["verify,benchmark"],
    "store": ["cache"],
    "changes": CHANGES,
    "name": ["other"],
    "folder": PLACES,
    "prompt": ["Once", "", "-"],
    "file": ["recipes/plain.yaml", "-"],
    "bias_texts": ["the=1", "the"],
    "end_texts": ["the"],
    "text": ["Once", "", "-"],
    "checkpoint": [*PLACES, "hf://a/b"],
    "shell": ["bash", "zsh", "fish"],
    "size": ["1GB", "0", "10%"],
    "assumed": ["onnx", "torch"],
    "reports": ["build/plain.json"],
    "conditions": ["size > baseline * 1.01", "kl > 1", "perplexty > 1", "size"],
    "junit": ["junit.xml"],
    "html": ["page.html"],
    "png": ["charts.png"],
    "prompts": ["recipes/plain.yaml", "-", "pipe", "Once", ""],
}
"""Values that a parameter may really have, by its name."""

WRITING = {"build", "gc", "verify", "copy", "compare", "clean", "init"}
"""Commands that write: they run in a copy of the folder."""

RARE = {"check": 0.02, "compare": 0.3, "build": 0.4, "doctor": 0.1}
"""The share of draws that count for commands that build or measure, which takes seconds."""


def draw_command(draw: random.Random) -> list[str]:
    """Draw the words behind `gpt2forge`."""
    path, command = draw.choice(list(list_commands([load_command(name) for name in COMMANDS])))
    if draw.random() > RARE.get(path[0], 1):
        return draw_command(draw)
    words = [*path]
    for parameter in command.params:
        words += draw_parameter(parameter, draw)
    if draw.random() < 0.1:
        words.insert(draw.randint(0, len(words)), draw.choice(ODD))
    if draw.random() < 0.05 and words:
        words.pop(draw.randrange(len(words)))
    return words


def list_commands(
    commands: Sequence[click.Command], above: tuple[str, ...] = ()
) -> Iterator[tuple[list[str], click.Command]]:
    """Yield every command with its words."""
    for command in commands:
        if isinstance(command, click.Group):
            yield from list_commands(list(command.commands.values()), (*above, str(command.name)))
        else:
            yield [*above, str(command.name)], command


def draw_parameter(parameter: click.Parameter, draw: random.Random) -> list[str]:
    """Draw the words of an argument or option; an option is mostly left out."""
    if isinstance(parameter, click.Argument):
        count = draw.choice([1, 1, 1, 2]) if parameter.nargs == -1 else 1
        return [draw_value(parameter, draw) for _ in range(count)]
    if draw.random() < (0.75 if not parameter.required else 0.02):
        return []
    option = draw.choice(parameter.opts)
    return (
        [option] if isinstance(parameter, click.Option) and parameter.is_flag else [option, draw_value(parameter, draw)]
    )


def draw_value(parameter: click.Parameter, draw: random.Random) -> str:
    good = GOOD.get(str(parameter.name), ["1", "0.5"])
    return draw.choice(good) if draw.random() < 0.75 else draw.choice(ODD)
