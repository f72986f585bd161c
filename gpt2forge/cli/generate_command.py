"""`gpt2forge generate`: writes text with a built recipe, as it is generated or for many prompts at once."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gpt2forge.builder.outputs import find_output
from gpt2forge.builder.result import open_result
from gpt2forge.cli import console
from gpt2forge.cli.generation_options import generation_options, list_given, list_idle, read_bias
from gpt2forge.cli.older_result import force_option, warn_of_older
from gpt2forge.cli.options import json_option, threads_option
from gpt2forge.cli.prompts import read_prompt, read_prompts, warn_of_spaces
from gpt2forge.errors import UserError
from gpt2forge.held_interrupts import hold_interrupts
from gpt2forge.units import count

if TYPE_CHECKING:
    from gpt2forge.runtime.completion import Completion
    from gpt2forge.runtime.generation import Generation
    from gpt2forge.runtime.model import Model
    from gpt2forge.runtime.prompt_cache import PromptCache


@click.command("generate")
@click.argument("selector", metavar="RECIPE")
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("-p", "--prompt", metavar="TEXT", help="Continue this text instead of TEXT; `-` reads standard input.")
@click.option("--prompts", metavar="FILE", help="Continue each line of a file; `-` reads standard input.")
@click.option("--samples", "--n", metavar="N", type=click.IntRange(1), default=1, help="Write N texts for each prompt.")
@generation_options
@click.option("--chat", "is_chat", is_flag=True, help="The prompt is a message; write the answer to it.")
@click.option("--system", metavar="TEXT", help="With `--chat`: a message before it that says how to answer.")
@click.option(
    "--batch", metavar="N", type=click.IntRange(1), default=16, help="Compute up to N texts beside each other."
)
@click.option(
    "--prompt-cache",
    "cache_path",
    metavar="FILE",
    help="Do not read again what the prompt begins with like the last one, which FILE keeps; then keep this one.",
)
@click.option(
    "--packed",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the weights in DIR as this processor reads them: later commands open them sooner, and share them.",
)
@click.option(
    "--log-probabilities", "are_recorded", is_flag=True, help="With `--json`: write that of each new token, in nats."
)
@threads_option
@force_option
@json_option
@click.pass_context
def generate(context: click.Context, /, **values: Any) -> None:
    """Stream text from a built recipe. Write the prompt, TEXT, then each piece as it is generated."""
    own = {field.name for field in fields(Request)} - {"settings"}
    settings = {name: value for name, value in values.items() if name not in own}
    write_texts(context, Request(settings=settings, **{name: values[name] for name in own}))


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments and options of `gpt2forge generate`; `settings` are those that choose tokens."""

    selector: str
    text: str | None
    prompt: str | None
    prompts: str | None
    samples: int
    bias_texts: tuple[str, ...]
    end_texts: tuple[str, ...]
    guesser: str | None
    is_chat: bool
    system: str | None
    batch: int
    cache_path: str | None
    packed: Path | None
    threads: int
    force: bool
    are_recorded: bool
    as_json: bool
    settings: Mapping[str, Any]

    def check(self) -> None:
        """Raise UserError for options that contradict each other, or a cache that could not be written at the end."""
        if self.are_recorded and (not self.as_json or self.settings["beams"] > 1):
            raise UserError("`--log-probabilities` are written with `--json`, and not of `--beams`")
        path = self.cache_path
        if path is not None and (not path or Path(path).is_dir() or not Path(path).parent.is_dir()):
            raise UserError(f"--prompt-cache: `{path}` is no file in a folder that is there; name one")


def write_texts(context: click.Context, request: Request) -> None:
    """Write the texts that a command line asks for."""
    request.check()
    warn_of_older(find_output(request.selector), request.force)  # a missing result is told before stdin is read
    texts = choose_prompts(request.selector, request.text, request.prompt, request.prompts)
    started = time.monotonic()
    with open_result(request.selector) as result:
        settings = choose_settings(context, request, result.folder, len(texts))
        for line in () if request.is_chat else warn_of_spaces(texts):
            console.warn(line)
        texts = fit_texts(request, result.folder, texts, settings)
        with hold_interrupts():
            from gpt2forge.builder.open_package import open_package

        model = open_package(result.folder, request.threads, request.packed)
    ends = [model.find_token(text) for text in request.end_texts]
    settings = replace(settings, bias=read_bias(request.bias_texts, model.find_token), ends=ends)
    if request.guesser is not None or request.cache_path is None:  # a cache works without the package's guesses
        settings = add_guesses(
            model, settings, request.guesser, texts=len(texts) * request.samples, threads=request.threads
        )
    cache = None if request.cache_path is None else model.open_prompt_cache(request.cache_path)
    is_single = len(texts) == 1 and request.samples == 1
    is_new = settings.seed is not None and request.settings["seed"] is None
    if is_new and not request.as_json and (is_single or not console.is_watched(console.open_terminal())):
        console.inform(f"seed {settings.seed}")  # several texts on a terminal each show their own
    if is_single and not request.as_json:
        stream(model, texts[0], settings, request.is_chat, cache)
    else:
        completions = model.complete(
            texts,
            settings,
            samples=request.samples,
            batch=request.batch,
            log_probabilities=request.are_recorded,
            is_formatted=request.is_chat,
            prompt_cache=cache,
        )
        write_all(completions, request, len(texts) * request.samples, started)
    if cache is not None and request.cache_path is not None:
        cache.save(request.cache_path)


def choose_settings(context: click.Context, request: Request, folder: Path, prompts: int) -> "Generation":
    """Return the settings of the command line, else the package's, else ours; warn of options that do nothing."""
    # Imported here, because numpy takes longer than --help, and onnxruntime as long as a prompt that does not fit.
    with hold_interrupts():
        from gpt2forge.runtime.generation import Generation, draw_seed
        from gpt2forge.runtime.package_settings import read_generation, take_guesses, take_settings

    named = list_given(context)
    given = {name: value for name, value in request.settings.items() if name in named}
    Generation(**given)  # a wrong value is reported before anything is read
    package = read_generation(folder)
    settings = draw_seed(Generation(**{**take_settings(package), **given}))
    texts, has_guesses = prompts * request.samples, take_guesses(package) is not None
    for line in list_idle(context, settings.temperature, texts=texts, has_guesses=has_guesses):
        console.warn(line)
    return settings


def fit_texts(request: Request, folder: Path, texts: list[str], settings: "Generation") -> list[str]:
    """Return the prompts, in a chat those of the template. Raises UserError if one does not fit the package."""
    with hold_interrupts():
        from gpt2forge.runtime.chat import format_chat
        from gpt2forge.runtime.prompt import check_prompts

    found = texts
    if request.is_chat:
        found = [format_chat(folder, make_messages(text, request.system)) for text in texts]
    check_prompts(folder, found, settings, add_special_tokens=not request.is_chat)
    return found


def add_guesses(
    model: "Model", settings: "Generation", guesser: str | None, *, texts: int, threads: int
) -> "Generation":
    """Return the settings with the guesser that the command names, or else with the package's."""
    if guesser is None:
        return model.add_guesses(settings, texts)
    return replace(settings, speculative=open_guesser(guesser, threads))


def open_guesser(name: str, threads: int) -> "Literal['prompt-lookup'] | Model | None":
    """Return the model of a built recipe, or the word for guesses without one; None for none."""
    if name == "prompt-lookup":
        return "prompt-lookup"
    if name == "none":
        return None
    from gpt2forge.runtime.open_model import open_model

    with open_result(name) as result:
        return open_model(result.folder, threads)


def choose_prompts(selector: str, text: str | None, prompt: str | None, file: str | None) -> list[str]:
    """Return the one prompt, or the lines of a file. Raises UserError unless they are named in exactly one way."""
    named = [each for each in (text, prompt, file) if each is not None]
    if len(named) > 1:
        raise UserError("the prompt is named twice; leave out `-p` and `--prompts`, or the text behind the recipe")
    if not named:
        raise UserError(f'which text is to be continued? `gpt2forge generate {selector} "the text"`')
    return read_prompts(named[0]) if file is not None else [read_prompt(named[0])]


def make_messages(text: str, system: str | None) -> list[dict[str, str]]:
    """Return the messages of a chat that the user begins."""
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, {"role": "user", "content": text}]


def stream(model: "Model", prompt: str, settings: "Generation", is_chat: bool, cache: "PromptCache | None") -> None:
    """Write a text as it is generated, behind its prompt unless that is a chat's; then, on a terminal, its speed."""
    shown = "" if is_chat else prompt
    started, text = time.monotonic(), model.start(prompt, settings, is_formatted=is_chat)
    for piece in model.stream_text(text, settings, prompt_cache=cache):
        # The prompt comes with the first piece: only one that fits the context has any.
        console.write_generated(shown + piece)
        shown = ""
    console.write_generated(shown + "\n")
    if console.is_watched(console.open_terminal(is_error=True)):
        console.inform(describe_speed(len(text.added), text.passes, time.monotonic() - started))


def describe_speed(tokens: int, passes: int, seconds: float) -> str:
    """Return how many tokens were written, in how many passes if these are fewer, and how many tokens a second.

    The prompt is the first pass, and its time counts.
    """
    fewer = f" in {passes} pass{'' if passes == 1 else 'es'}" if passes < tokens else ""
    return f"{count(tokens, 'token')}{fewer}, {tokens / seconds:.0f} tokens/s"


def write_all(completions: Iterable["Completion"], request: Request, total: int, started: float) -> None:
    """Write completions as they are finished: as text behind their prompts, or as JSON, one a line.

    Texts have lines of their own, so a line before each tells a person where it begins.
    """
    is_watched = console.is_watched(console.open_terminal())
    for number, done in enumerate(completions, 1):
        if request.as_json:
            seconds = round(time.monotonic() - started, 3)
            found = {"prompt": done.prompt, "text": done.text, "tokens": done.count, "finish": done.finish}
            recorded = {"log_probabilities": list(done.log_probabilities)} if done.log_probabilities else {}
            numbers = {"passes": done.passes, "seed": done.seed, "seconds": seconds, "ids": list(done.tokens)}
            console.write_json({**found, **numbers, **recorded})
        else:
            if is_watched:
                console.inform(f"text {number} of {total}" + ("" if done.seed is None else f", seed {done.seed}"))
            console.write_generated(f"{'' if request.is_chat else done.prompt}{done.text}\n")
