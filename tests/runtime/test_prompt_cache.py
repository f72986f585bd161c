"""What a prompt cache keeps is not read again, and the text is the one without it."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.quantize.few_rows import MANY
from gpt2forge.quantize.prompt_attention import PROMPT
from gpt2forge.runtime import prompt_cache
from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.feeds import read_cache_shape
from gpt2forge.runtime.generate import continue_texts
from gpt2forge.runtime.in_place_step import InPlaceStep
from gpt2forge.runtime.prompt_cache import PromptCache
from gpt2forge.runtime.prompt_cache_file import digest_package, read_prompt_cache, write_prompt_cache
from gpt2forge.runtime.sampling import GREEDY, Sampling
from gpt2forge.runtime.step import Array, Step
from tests.graph.models import Shape, Tiny, make_tiny
from tests.quantize.packages import FLOAT32, SCHEMES, pack
from tests.quantize.test_kv_cache import find_magnitudes, open_quantized
from tests.runtime.texts import begin

PACKAGE = "ab" * 32
KINDS = {"growing": (FLOAT32, ()), "float32": (FLOAT32, tuple(PASSES)), "int8": (SCHEMES["int8-16"], tuple(PASSES))}
DRAWN = Sampling(temperature=1.2, top_p=0.9)


@pytest.fixture(scope="module")
def decoders(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decoder]:
    found = {}
    for name, (scheme, passes) in KINDS.items():
        folder = tmp_path_factory.mktemp("package") / "out"
        pack(tiny, folder, scheme, passes)
        found[name] = open_decoder(folder, threads=1)
    return found


@pytest.fixture(params=KINDS)
def decoder(request: pytest.FixtureRequest, decoders: dict[str, Decoder], monkeypatch: pytest.MonkeyPatch) -> Decoder:
    monkeypatch.setattr("gpt2forge.runtime.prompt_cache.GROUP", 4)  # the context has 48 tokens
    return decoders[request.param]


def write(decoder: Decoder, prompt: list[int], sampling: Sampling, cache: PromptCache | None = None) -> list[int]:
    text = begin(prompt, 12, seed=3)
    for _ in continue_texts(decoder, [text], Chooser(Edits(), sampling), cache=cache):
        pass
    return text.added.tolist()


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_every_turn_of_a_conversation_is_the_one_without_a_cache(decoder: Decoder, sampling: Sampling) -> None:
    cache, text = PromptCache(PACKAGE), [5, 17, 80, 3, 9]
    for turn in range(3):
        text += [7 + turn, 4]
        answer = write(decoder, text, sampling, cache)
        assert answer == write(decoder, text, sampling)
        assert cache.tokens == text
        text = [*text, *answer[:6]]


def test_what_is_kept_is_bit_for_bit_that_of_one_pass(decoder: Decoder, tiny: Tiny) -> None:
    tokens = tiny.ids(40).tolist()
    for kept, total in ((4, 6), (9, 23), (16, 40), (39, 40), (40, 40)):
        whole, step, cache = decoder.start(48), decoder.start(48), PromptCache(PACKAGE)
        logits = whole.read_prompts([tokens[:total]]).copy()
        cache.read(decoder.start(48), tokens[:kept])
        assert (cache.read(step, tokens[:total]) == logits).all()
        assert all((one == other).all() for one, other in zip(step.save(), whole.save(), strict=True))


def test_where_few_tokens_have_other_products_no_pass_reads_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = make_tiny(tmp_path / "tiny", Shape(heads=2, head_width=16))  # blocks of 16 divide its widths
    pack(tiny, tmp_path / "out", SCHEMES["int8-channel-few"])
    decoder, tokens = open_decoder(tmp_path / "out", threads=1), tiny.ids(40).tolist()
    assert decoder.many == MANY
    monkeypatch.setattr("gpt2forge.runtime.prompt_cache.GROUP", MANY)
    for kept, total, known in ((16, 18, 8), (17, 23, 8), (24, 32, 24), (40, 40, 32)):
        whole, step = decoder.start(48), decoder.start(48)
        cache = PromptCache(PACKAGE, fewest=decoder.many)
        logits = whole.read_prompts([tokens[:total]]).copy()
        cache.read(decoder.start(48), tokens[:kept])
        assert cache.count_known(tokens[:total]) == known
        assert (cache.read(step, tokens[:total]) == logits).all()
        assert all((one == other).all() for one, other in zip(step.save(), whole.save(), strict=True))


def test_over_an_int8_cache_every_pass_takes_the_kernel_of_prompts(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prompt_cache.GROUP >= PROMPT
    monkeypatch.setattr("gpt2forge.quantize.prompt_attention.PROMPT", 8)  # the context has 48 tokens
    monkeypatch.setattr("gpt2forge.runtime.prompt_cache.GROUP", 8)
    session = open_quantized(tiny, tmp_path / "out", find_magnitudes(tiny))
    tokens = tiny.ids(40).tolist()

    def start() -> InPlaceStep:
        return InPlaceStep(session, read_cache_shape(session), 48, session.get_outputs()[0].shape[-1])

    for kept, total, known in ((12, 14, 0), (12, 30, 8), (30, 33, 24), (33, 40, 32)):
        whole, step, cache = start(), start(), PromptCache(PACKAGE)
        logits = whole.read_prompts([tokens[:total]]).copy()
        cache.read(start(), tokens[:kept])
        assert cache.count_known(tokens[:total]) == known
        assert (cache.read(step, tokens[:total]) == logits).all()
        assert all((one == other).all() for one, other in zip(step.save(), whole.save(), strict=True))


class Counting:
    """Counts the tokens that a step reads."""

    def __init__(self, step: Step) -> None:
        self.step, self.count = step, 0

    def __call__(self, tokens: Array) -> Array:
        self.count += tokens.size
        return self.step(tokens)

    def read_prompts(self, prompts: list[list[int]]) -> Array:
        self.count += len(prompts[0])
        return self.step.read_prompts(prompts)

    def __getattr__(self, name: str) -> object:
        return getattr(self.step, name)


@pytest.mark.parametrize(("first", "second", "read"), [(20, 22, 2), (20, 21, 5), (22, 10, 2), (3, 20, 20), (0, 9, 9)])
def test_tokens_that_begin_alike_are_not_read_again(decoder: Decoder, first: int, second: int, read: int) -> None:
    tokens = list(range(30))
    cache = PromptCache(PACKAGE)
    if first:
        cache.read(decoder.start(48), tokens[:first])
    counting = Counting(decoder.start(48))
    cache.read(counting, tokens[:second])  # type: ignore[arg-type]
    assert counting.count == read


def test_another_beginning_is_read(decoder: Decoder) -> None:
    cache = PromptCache(PACKAGE)
    cache.read(decoder.start(48), list(range(20)))
    assert [cache.count_known([*range(place), 99, *range(20)]) for place in (0, 3, 4, 11, 19)] == [0, 0, 4, 8, 16]


def test_a_file_gives_the_cache_again(decoder: Decoder, tmp_path: Path) -> None:
    cache, path = PromptCache(PACKAGE), tmp_path / "kept"
    cache.read(decoder.start(48), list(range(20)))
    cache.save(path)
    tokens, past = read_prompt_cache(path, PACKAGE, read_cache_shape(decoder.session), 48, decoder.vocabulary)
    assert tokens == cache.tokens
    assert all((one == other).all() for one, other in zip(past, cache.past, strict=True))
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_cache_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the prompt cache is empty; generate a text with it first"):
        PromptCache(PACKAGE).save(tmp_path / "kept")


def cut(data: bytes) -> bytes:
    return data[:-40]


def rename(data: bytes) -> bytes:
    return data.replace(b'"tokens"', b'"tokenz"')


def widen(data: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["tokens"]["shape"] = [1 << 40]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def exceed(data: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    place = 8 + length + 32
    return data[:place] + (1 << 40).to_bytes(8, "little") + data[place + 8 :]


def use_another(data: bytes) -> bytes:
    place = 8 + int.from_bytes(data[:8], "little")
    return data[:place] + bytes(32) + data[place + 32 :]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "lies outside the file"),
        (rename, "is no prompt cache of this model; name another file, or remove it"),
        (widen, "is no prompt cache of this model; name another file, or remove it"),
        (exceed, "holds tokens that this model does not have; remove the file"),
        (use_another, "was written with another model; name another file, or remove it"),
        (lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:], "is damaged; remove the file"),
        (lambda data: b"text", "not a safetensors file"),
    ],
    ids=["cut", "renamed", "widened", "unknown token", "another model", "flipped bit", "text"],
)
def test_a_file_that_is_no_cache_of_this_model_is_named(
    decoders: dict[str, Decoder], tmp_path: Path, damage: object, said: str
) -> None:
    decoder, path = decoders["float32"], tmp_path / "kept"
    cache = PromptCache(PACKAGE)
    cache.read(decoder.start(48), list(range(20)))
    cache.save(path)
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError) as caught:
        read_prompt_cache(path, PACKAGE, read_cache_shape(decoder.session), 48, decoder.vocabulary)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


def test_a_cache_of_another_shape_is_refused(decoders: dict[str, Decoder], tmp_path: Path) -> None:
    decoder, path = decoders["float32"], tmp_path / "kept"
    write_prompt_cache(path, PACKAGE, [1, 2], [np.zeros((1, 3, 2, 5), np.float32)] * 4)
    with pytest.raises(UserError, match="is no prompt cache of this model"):
        read_prompt_cache(path, PACKAGE, read_cache_shape(decoder.session), 48, decoder.vocabulary)


def test_digest_is_of_the_graph_and_of_how_the_weights_were_made(tmp_path: Path) -> None:
    found = set()
    for graph, made, weights in (("a", "x", "1"), ("b", "x", "1"), ("a", "y", "1"), ("a", None, "1"), ("a", None, "2")):
        folder = tmp_path / f"{graph}{made}{weights}"
        folder.mkdir()
        (folder / "model.onnx").write_text(graph)
        (folder / "model.onnx_data").write_text(weights)
        if made:
            (folder / "forge.json").write_text(made)
        found.add(digest_package(folder))
    assert len(found) == 5
