"""An open package with text on both sides, as `gpt2forge generate` and `gpt2forge.load` use it."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Literal, Unpack, overload

import numpy as np
from tokenizers import Tokenizer

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError, check_argument
from gpt2forge.runtime.chat import format_chat
from gpt2forge.runtime.choice import Chooser
from gpt2forge.runtime.completion import Completion
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.feeds import read_cache_shape
from gpt2forge.runtime.generate import Cancel
from gpt2forge.runtime.generation import Generation, Options, check_flag, draw_seed
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.guesser import choose_guesser
from gpt2forge.runtime.likelihood import log_softmax
from gpt2forge.runtime.long_text import encode_long
from gpt2forge.runtime.package_settings import LOOKUP, Guesses
from gpt2forge.runtime.prompt import name_prompt
from gpt2forge.runtime.prompt_cache import FEWEST, PromptCache
from gpt2forge.runtime.prompt_cache_file import digest_package, read_prompt_cache
from gpt2forge.runtime.run_texts import Begun, check_samples, continue_all, run_batches, run_searches
from gpt2forge.runtime.score import Advance, Score, ignore, score_answer, score_tokens
from gpt2forge.runtime.start_text import find_begin, make_edits, spell_forced, start_text
from gpt2forge.runtime.step import Array
from gpt2forge.runtime.text import check_rows, check_text, encode_beginning, encode_text, has_more_tokens, open_stream

BATCH = 16  # texts beside each other; each needs memory for the keys and values of all its tokens


@dataclass(frozen=True, eq=False)
class Model:
    """A model with its tokenizer. Several threads may use one model at once.

    Each of the tokens `ends`, and of the strings `stops`, ends a text and is no part of it. `begin` starts a text
    without a prompt; None if the model has no such token. `folder` is the package.

    `usual` are the settings that the package names, `guesses` what guesses its tokens and how many at once (None: as
    many as pay). `open_draft` opens the model in it that guesses.
    """

    decoder: Decoder = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    ends: tuple[int, ...]
    begin: int | None
    stops: tuple[str, ...] = ()
    folder: Path = Path()
    usual: Options = field(default_factory=lambda: Options())
    guesses: Guesses | None = None
    open_draft: Callable[[], "Model"] | None = field(default=None, repr=False)

    @cached_property
    def draft(self) -> "Model | None":
        """Return the model in the package that guesses tokens, which is opened when it is first used."""
        return self.open_draft and self.open_draft()

    def choose_settings(
        self, max_tokens: int | None, options: Options, texts: int = 1, cache: PromptCache | None = None
    ) -> Generation:
        """Return the settings of a call for so many texts: the options, then the package's, then ours.

        A prompt cache works without guesses, so the package's are left out with one.
        """
        chosen: Options = {**self.usual, **options}
        settings = draw_seed(Generation(max_tokens, **chosen))
        return settings if "speculative" in options or cache is not None else self.add_guesses(settings, texts)

    def add_guesses(self, settings: Generation, texts: int = 1) -> Generation:
        """Return the settings with the package's guesses.

        A search takes none. Nor do several texts, which are computed beside each other: that gives more.
        """
        if self.guesses is None or texts > 1 or settings.beams > 1:
            return settings
        kind, tokens = self.guesses
        tokens = settings.speculative_tokens or tokens
        speculative: Literal["prompt-lookup"] | Model | None = "prompt-lookup" if kind == LOOKUP else self.draft
        return replace(settings, speculative=speculative, speculative_tokens=tokens)

    @property
    def context(self) -> int:
        """Return how many tokens the model takes at most, prompt and new tokens together."""
        return self.decoder.context

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; `<|endoftext|>` in it is one token.

        Raises UserError if it is not Unicode text, or if the model has no row for one of its tokens.
        """
        tokens = encode_text(self.tokenizer, text)
        check_rows(self.tokenizer, tokens, self.decoder.vocabulary)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ids; bytes that form no character become U+FFFD. Raises UserError for an unknown id."""
        self.check_tokens(tokens)
        stream = open_stream(self.tokenizer)
        return "".join([*(stream.push(token) for token in tokens), stream.finish()])

    def check_tokens(self, tokens: Iterable[int]) -> None:
        """Raise TypeError or UserError unless all are tokens of this model."""
        for token in tokens:
            check_argument("tokens", token, Integral)
            if not 0 <= token < self.decoder.vocabulary:
                last = self.decoder.vocabulary - 1
                raise UserError(f"the token {token} is outside this model's vocabulary; give tokens from 0 to {last}")

    @overload
    def generate(
        self,
        prompt: str,
        max_tokens: int | None = None,
        *,
        log_probabilities: bool = False,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
        **options: Unpack[Options],
    ) -> Completion: ...
    @overload
    def generate(
        self,
        prompt: list[str] | tuple[str, ...],
        max_tokens: int | None = None,
        *,
        samples: int = 1,
        batch: int = BATCH,
        log_probabilities: bool = False,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
        **options: Unpack[Options],
    ) -> list[Completion]: ...
    def generate(
        self,
        prompt: str | list[str] | tuple[str, ...],
        max_tokens: int | None = None,
        *,
        samples: int = 1,
        batch: int = BATCH,
        log_probabilities: bool = False,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
        **options: Unpack[Options],
    ) -> Completion | list[Completion]:
        """Return what the model adds to a prompt, or to each of a list of prompts.

        A list gives `samples` completions of each prompt, one prompt after the other. Up to `batch` texts are computed
        at once, which is faster than one by one; no text depends on the others. `max_tokens` and the `options` are the
        settings of `Generation`, which the package may give other defaults. `log_probabilities` records that of each
        new token. `cancel` is a threading.Event, or anything with `is_set()`, that ends all texts after the next token.
        What a prompt and that of `prompt_cache` begin with alike is not read again; texts are then computed one by one.
        Raises UserError, before anything runs, if a setting is out of range or a prompt does not fit.
        """
        if not isinstance(prompt, str | list | tuple):
            raise TypeError(f"`prompt` must be text (str) or a list of texts, not {type(prompt).__name__}")
        texts = 1 if isinstance(prompt, str) else len(prompt) * samples
        settings = self.choose_settings(max_tokens, options, texts, prompt_cache)
        check_flag("log_probabilities", log_probabilities)
        if log_probabilities and settings.beams > 1:
            raise UserError("a search with beams records no log-probabilities; use one beam, or `score` its text")
        if isinstance(prompt, str) and samples != 1:
            raise UserError("`samples` are of a list of prompts; give a list with this one")
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        found = list(
            self.complete(
                prompts,
                settings,
                samples=samples,
                batch=batch,
                log_probabilities=log_probabilities,
                cancel=cancel,
                prompt_cache=prompt_cache,
            )
        )
        return found[0] if isinstance(prompt, str) else found

    def complete(
        self,
        prompts: Sequence[str],
        settings: Generation,
        *,
        samples: int = 1,
        batch: int = BATCH,
        log_probabilities: bool = False,
        cancel: Cancel | None = None,
        is_formatted: bool = False,
        prompt_cache: PromptCache | None = None,
    ) -> Iterator[Completion]:
        """Yield what `generate` returns in a list, each batch as soon as it is done.

        `is_formatted`: the prompts come from `format_chat`.
        """
        for name, value in (("samples", samples), ("batch", batch)):
            check_argument(name, value, Integral)
            if value < 1:
                raise UserError(f"{name} is {value}; it must be 1 or more")
        check_samples(samples, settings)
        check_cancel(cancel)
        check_cache(prompt_cache, settings, self)
        texts: list[Begun] = []
        for number, prompt in enumerate(prompts):
            with name_prompt(number, len(prompts)):
                for sample in range(samples):
                    texts.append((prompt, start_text(self, prompt, settings, sample, not is_formatted)))
        if settings.beams > 1:
            return self.search(texts, settings, samples, cancel)
        choose = Chooser(make_edits(self, settings), settings.sampling, log_probabilities)
        guesser = choose_guesser(self, settings)
        return run_batches(self.decoder, texts, batch, choose, guesser, cancel, settings, prompt_cache)

    def search(
        self, texts: Sequence[Begun], settings: Generation, samples: int = 1, cancel: Cancel | None = None
    ) -> Iterator[Completion]:
        """Yield what a search with beams finds; `samples` texts in a row have the same prompt."""
        edits, words = make_edits(self, settings), spell_forced(self, settings)
        return run_searches(self.decoder, texts, samples, settings, edits, words, cancel)

    def stream(
        self,
        prompt: str,
        max_tokens: int | None = None,
        *,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
        **options: Unpack[Options],
    ) -> Iterator[str]:
        """Yield the text that `generate` would return, in pieces of whole characters, as it is generated.

        Raises UserError, before anything runs, if a setting is out of range or the prompt does not fit.
        """
        settings = self.choose_settings(max_tokens, options, cache=prompt_cache)
        return self.stream_text(self.start(prompt, settings), settings, cancel, prompt_cache)

    def stream_text(
        self,
        text: GrowingText,
        settings: Generation,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
    ) -> Iterator[str]:
        """Yield the pieces of a text that `start` returned, which then has its tokens and why it ended."""
        check_cancel(cancel)
        check_cache(prompt_cache, settings, self)
        if settings.beams > 1:
            return (done.text for done in self.search([("", text)], settings, cancel=cancel))
        choose = Chooser(make_edits(self, settings), settings.sampling)
        guesser = choose_guesser(self, settings)
        steps = continue_all(self.decoder, [text], choose, guesser, cancel, settings, prompt_cache)
        return (piece for _ in steps for piece in text.take_pieces())

    def start(self, prompt: str, settings: Generation, is_formatted: bool = False) -> GrowingText:
        """Return the text that a prompt begins, for `stream_text`. Raises UserError if the prompt does not fit."""
        return start_text(self, prompt, settings, add_special_tokens=not is_formatted)

    def open_prompt_cache(self, path: str | os.PathLike[str] | None = None) -> PromptCache:
        """Return the prompt cache in a file that `PromptCache.save` wrote, or an empty one if there is no file.

        Raises UserError if the file is damaged or belongs to another model.
        """
        cache = PromptCache(self.digest, fewest=max(FEWEST, self.decoder.many or 0))
        if path is not None and Path(path).exists():
            shape = read_cache_shape(self.decoder.session)
            found = read_prompt_cache(Path(path), self.digest, shape, self.context, self.decoder.vocabulary)
            cache.tokens, cache.past = found
        return cache

    @cached_property
    def digest(self) -> str:
        """Return the digest of the package, which a prompt cache belongs to."""
        return digest_package(self.folder)

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        max_tokens: int | None = None,
        *,
        cancel: Cancel | None = None,
        prompt_cache: PromptCache | None = None,
        **options: Unpack[Options],
    ) -> Completion:
        """Return the next answer in a chat; each message has a `role` and its `content`, which are text.

        With a `prompt_cache` of this chat, the messages before are not read again. `cancel` is as for `generate`.
        Raises UserError as `generate` does, or if the package has no chat template or jinja2 is not installed.
        """
        settings = self.choose_settings(max_tokens, options, cache=prompt_cache)
        prompts = [self.format_chat(messages)]
        return next(self.complete(prompts, settings, cancel=cancel, is_formatted=True, prompt_cache=prompt_cache))

    def format_chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt that the package's chat template makes of messages. Raises UserError as `chat` does."""
        return format_chat(self.folder, messages)

    def find_token(self, text: str) -> int:
        """Return the token that is exactly this text. Raises UserError if there is none."""
        tokens = encode_text(self.tokenizer, text, add_special_tokens=False)
        if len(tokens) != 1:
            raise UserError(f"{quote_untrusted(text)} is {len(tokens)} tokens of this model; give the text of one")
        return tokens[0]

    def score(self, text: str, answer: str | None = None, *, stride: int | None = None) -> Score:
        """Return how likely the model finds a text; or, if there is one, an answer behind the text.

        A text longer than the context is cut into windows of the whole context that begin `stride` tokens apart, by
        default the context. The model predicts each token of a window, except the first, from the tokens before it in
        the window; each token counts once. An answer's tokens are those that `encode` gives for it alone.
        Raises UserError if the text has fewer than two tokens, or if text and answer do not fit or either is empty.
        """
        if stride is not None:
            check_argument("stride", stride, Integral)
        if answer is None:
            return score_tokens(self.decoder.read, self.encode(text), self.context, stride)
        if stride is not None:
            raise UserError("`stride` is for a long text; an answer and the text before it are one window")
        before, after = self.encode_fitting(text, "the prompt"), self.encode_fitting(answer, "the answer")
        return score_answer(self.decoder, before or [find_begin(self.begin)], after)

    def encode_fitting(self, text: str, name: str) -> list[int]:
        """Return the ids of a text that must fit the context; one that is far too long is not encoded as a whole.

        Raises UserError as `encode` does, or if it is too long.
        """
        check_text(text)
        if has_more_tokens(self.tokenizer, text, self.context):
            raise UserError(f"{name} has more tokens than this model's context of {self.context}; shorten it")
        return self.encode(text)

    def score_long(
        self, text: str, stride: int | None = None, tokens: int | None = None, advance: Advance = ignore
    ) -> Score:
        """Return the score of a text of any length, or of its first tokens, without those around a text.

        `advance` is called with how many of how many tokens are done. Raises UserError as `score` does.
        """
        found = encode_long(self.tokenizer, text) if tokens is None else encode_beginning(self.tokenizer, text, tokens)
        check_rows(self.tokenizer, found, self.decoder.vocabulary)
        return score_tokens(self.decoder.read, found, self.context, stride, advance)

    def logits(self, text: str | Sequence[int]) -> Array:
        """Return the float32 logits (S, V) after each of the S tokens of a text, given as text or as its ids.

        Raises UserError if it is empty or longer than the context.
        """
        if not isinstance(text, Iterable):
            raise TypeError(f"`text` must be text (str) or a list of tokens, not {type(text).__name__}")
        tokens = self.encode_fitting(text, "the text") if isinstance(text, str) else list(text)
        self.check_tokens(tokens)
        if not 0 < len(tokens) <= self.context:
            raise UserError(f"the text has {len(tokens)} tokens; this model takes 1 to {self.context}")
        return np.asarray(self.decoder.read(np.array([tokens], np.int64))[0])

    def log_probabilities(self, text: str | Sequence[int]) -> Array:
        """Return the log-probability (S, V) in nats, float64, of each next token after each of a text's S tokens.

        Raises UserError as `logits` does.
        """
        return log_softmax(self.logits(text))


def check_cancel(cancel: Cancel | None) -> None:
    """Raise TypeError unless this tells whether to end."""
    if cancel is not None and not hasattr(cancel, "is_set"):
        raise TypeError(f"`cancel` must have `is_set()`, as threading.Event, and {type(cancel).__name__} has not")


def check_cache(cache: PromptCache | None, settings: Generation, model: Model) -> None:
    """Raise UserError if a prompt cache is of another model, or if the settings leave it no use.

    Raises TypeError if it is none.
    """
    if cache is None:
        return
    if not isinstance(cache, PromptCache):
        raise TypeError(f"`prompt_cache` must be what `open_prompt_cache` returns, not {type(cache).__name__}")
    if cache.package != model.digest:
        raise UserError("the prompt cache belongs to another model; make one with this model's `open_prompt_cache`")
    if settings.beams > 1 or settings.speculative is not None:
        raise UserError("a prompt cache works without beams and guesses; leave out `beams` and `speculative`, or it")
