"""Tests of everything that `import gpt2forge` offers."""

import ast
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

import gpt2forge
from gpt2forge.builder.build_events import BuildEvent, RunFinished
from gpt2forge.executor.events import StepFinished
from tests.workshop import ROOT, Workshop, make_workshop

pytestmark = pytest.mark.slow

PROMPT = "def __init__(self, "
HEAVY = {"yaml", "pydantic", "rich", "numpy", "onnx", "onnxruntime", "torch", "transformers", "tokenizers", "click"}

SKIP = ["verify", "benchmark"]


@pytest.fixture
def here(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Make the shared workshop the working directory, with nano built in int8."""
    monkeypatch.chdir(workshop.folder)
    workshop.build("nano-cpu-int8")
    return workshop


@pytest.fixture
def model(here: Workshop) -> gpt2forge.Model:
    return gpt2forge.load("nano-cpu-int8", threads=1)


def list_modules(program: str, folder: Path) -> set[str]:
    """Return the modules that a new interpreter has imported after a program."""
    command = [sys.executable, "-c", f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_alone_imports_nothing_else(tmp_path: Path) -> None:
    modules = list_modules("import gpt2forge", tmp_path)
    assert not modules & HEAVY
    assert {name for name in modules if name.startswith("gpt2forge")} == {"gpt2forge"}


def test_build_that_has_nothing_to_do_imports_no_runtime(here: Workshop) -> None:
    program = f"import gpt2forge; gpt2forge.build('nano-cpu-int8', skip={SKIP})"
    modules = list_modules(program, here.folder)
    assert not modules & {"numpy", "onnx", "onnxruntime", "torch", "transformers", "tokenizers"}


def test_loading_and_generating_needs_no_recipe_terminal_or_pytorch(here: Workshop) -> None:
    modules = list_modules("import gpt2forge; gpt2forge.load('nano-cpu-int8').generate('x', 2)", here.folder)
    assert not modules & {"yaml", "pydantic", "rich", "click", "torch", "transformers"}


def test_stub_says_what_there_is() -> None:
    """Compare the stub, which type checkers read, with the module: same names from the same places."""
    stub = ast.parse((ROOT / "gpt2forge/__init__.pyi").read_text())
    places = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert places == gpt2forge.PLACES  # type: ignore[attr-defined]
    assert gpt2forge.__all__ == sorted(places)  # type: ignore[attr-defined]
    assert {*places, "__version__"} <= set(dir(gpt2forge))
    for name, place in places.items():
        assert getattr(gpt2forge, name).__module__ == place


def test_type_checkers_know_the_types(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import gpt2forge\n"
        "model = gpt2forge.load('nano')\n"
        "reveal_type(model.generate('x', temperature=0.5))\n"
        "reveal_type(model.generate(['x'], samples=2))\n"
        "reveal_type(model.generate('x').text)\n"
        "reveal_type(model.score('x').perplexity)\n"
        "reveal_type(gpt2forge.build('nano').output)\n"
        "model.generate('x', temperatur=1)\n"
        "model.stream(3)\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-site-packages",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(program),
    ]
    environment = {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    lines = [
        line.partition(": ")[2]
        for line in done.stdout.splitlines()
        if re.match(r"program\.py:\d+: (error|note: Revealed)", line)
    ]
    assert lines == [
        'note: Revealed type is "gpt2forge.runtime.completion.Completion"',
        'note: Revealed type is "list[gpt2forge.runtime.completion.Completion]"',
        'note: Revealed type is "str"',
        'note: Revealed type is "float"',
        'note: Revealed type is "pathlib.Path"',
        'error: Unexpected keyword argument "temperatur" for overloaded function "generate" of "Model"; did you mean '
        '"temperature"?  [call-overload]',
        'error: No overload variant of "generate" of "Model" matches argument types "str", "int"  [call-overload]',
        'error: Argument 1 to "stream" of "Model" has incompatible type "int"; expected "str"  [arg-type]',
    ]


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module `gpt2forge` has no attribute `biuld`$"):
        gpt2forge.biuld  # type: ignore[attr-defined]  # noqa: B018


def test_recipe_that_means_several_is_refused(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.folder)
    with pytest.raises(
        gpt2forge.UserError, match=r"^`nano-cpu`: selects several recipes, and one is needed; there are"
    ):
        gpt2forge.build("nano-cpu", skip=SKIP)
    assert gpt2forge.build("nano-cpu@int8-32", skip=SKIP).output == Path("build/nano-cpu@int8-32")
    assert gpt2forge.load("nano-cpu@int8-32").context == 256


def test_build_is_that_of_the_command_and_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = make_workshop(tmp_path / "shop")
    monkeypatch.chdir(shop.folder)
    events: list[BuildEvent] = []
    built = gpt2forge.build("nano-cpu-int8", store="kept", skip=SKIP, progress=events.append)
    assert built.output == Path("build/nano-cpu-int8")
    assert (built.output / "model.onnx").is_file()
    assert (shop.folder / "kept/artifacts").is_dir()
    steps = [event.outcome.to_json() for event in events if isinstance(event, StepFinished)]
    assert steps == built.report.to_json()["steps"]
    assert {step["outcome"] for step in steps} == {"built", "skipped"}
    assert events[-1] == RunFinished(built.report)
    assert built.report.to_json() == json.loads(Path("build/nano-cpu-int8.json").read_text())
    assert capfd.readouterr() == ("", "")
    again = shop.report("nano-cpu-int8", "--store", "kept")
    assert {step["outcome"] for step in again["steps"]} == {"reused", "skipped"}


def test_changed_recipe_is_published_under_its_own_name(here: Workshop) -> None:
    built = gpt2forge.build("nano-cpu-int8", changes=["quantization.granularity=64"], name="nano-64", skip=SKIP)
    assert built.output == Path("build/nano-64")
    assert [step.outcome for step in built.report.steps][:3] == ["reused"] * 3
    with pytest.raises(gpt2forge.UserError) as error:
        gpt2forge.build("nano-cpu-int8", changes=["quantization.granularity=64"])
    assert str(error.value) == "`changes` make another recipe; give a `name` to publish its result under"


def test_rerun_makes_a_step_again(here: Workshop) -> None:
    built = gpt2forge.build("nano-cpu-int8", rerun="fuse", skip=SKIP)
    assert [step.stage for step in built.report.steps if step.outcome == "built"] == ["fuse"]


def test_faults_are_the_lines_of_the_command(here: Workshop) -> None:
    output = here.run("build", "nano-cpu-int9", code=1).stderr
    with pytest.raises(gpt2forge.UserError) as error:
        gpt2forge.build("nano-cpu-int9")
    assert f"error: {error.value}\n" == output


def test_store_that_cannot_be_made_is_a_user_error(here: Workshop) -> None:
    Path("file").write_text("")
    with pytest.raises(gpt2forge.UserError) as error:
        gpt2forge.build("nano-cpu-int8", store="file", skip=SKIP)
    assert str(error.value) == "file: cannot be a store: Not a directory; choose another with `--store`"


def test_generate_is_what_the_command_writes(here: Workshop, model: gpt2forge.Model) -> None:
    output = here.run("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "40", "-t", "0", "--threads", "1").stdout
    assert PROMPT + model.generate(PROMPT, max_tokens=40, temperature=0).text + "\n" == output
    words = ("-n", "20", "-t", "0.9", "--top-k", "40", "--top-p", "0.95", "--seed", "5", "--threads", "1")
    output = here.run("generate", "nano-cpu-int8", "-p", PROMPT, *words).stdout
    drawn = model.generate(PROMPT, max_tokens=20, temperature=0.9, top_k=40, top_p=0.95, seed=5)
    assert f"{PROMPT}{drawn}\n" == output


def test_stream_gives_the_text_in_pieces_as_far_as_it_is_read(model: gpt2forge.Model) -> None:
    pieces = list(model.stream(PROMPT, max_tokens=30, seed=3))
    assert "".join(pieces) == model.generate(PROMPT, max_tokens=30, seed=3).text
    assert len(pieces) > 10
    assert all(pieces)
    stream = model.stream(PROMPT, max_tokens=30, seed=3)
    assert [next(stream) for _ in range(3)] == pieces[:3]


def test_without_a_number_of_tokens_there_are_128_or_what_fits(model: gpt2forge.Model) -> None:
    long = "x = 1\n" * 40
    room = model.context - len(model.encode(long))
    assert 0 < room < 128
    found = model.generate(long, temperature=0, ignore_end=True)
    assert (found.count, found.finish) == (room, "length")
    assert model.generate("x", temperature=0, ignore_end=True).count == 128


def test_empty_prompt_begins_a_text(model: gpt2forge.Model) -> None:
    texts = {model.generate(prompt, 5, seed=1).text for prompt in ("", "<|endoftext|>")}
    assert len(texts) == 1 and texts != {""}


@pytest.fixture
def exact(here: Workshop) -> gpt2forge.Model:
    here.build("nano-cpu-fp32")
    return gpt2forge.load("nano-cpu-fp32", threads=1)


PROMPTS = ["def __init__(self,", "import os\n", "x", "", "class A:\n    def f(self):\n        return", "import os\n"]


def test_prompts_beside_each_other_give_the_tokens_of_each_alone(exact: gpt2forge.Model) -> None:
    together = exact.generate(PROMPTS, 60, temperature=0)
    assert [found.prompt for found in together] == PROMPTS
    assert [found.tokens for found in together] == [exact.generate(each, 60, temperature=0).tokens for each in PROMPTS]
    assert exact.generate(PROMPTS, 60, temperature=0, batch=4) == together
    cut = exact.generate(PROMPTS, 60, temperature=0, stop=["(", "import"])
    assert len({found.count for found in cut}) > 2  # so rows leave the batch one after the other
    assert all(found.tokens == whole.tokens[: found.count] for found, whole in zip(cut, together, strict=True))


def test_beams_are_those_of_transformers_on_the_converted_model(here: Workshop, exact: gpt2forge.Model) -> None:
    converted = here.store / "artifacts" / here.report("nano-cpu-fp32")["steps"][0]["digest"]
    reference = GPT2LMHeadModel.from_pretrained(converted).eval()
    for prompt in PROMPTS[:3]:
        ids = torch.tensor([exact.encode(prompt)])
        wanted = reference.generate(ids, max_new_tokens=25, num_beams=4, do_sample=False, length_penalty=1.5)
        found = exact.generate(prompt, 25, beams=4, length_penalty=1.5)
        assert list(found.tokens) == [token for token in wanted[0, ids.shape[1] :].tolist() if token not in exact.ends]


def test_samples_differ_and_repeat_by_their_seed(exact: gpt2forge.Model) -> None:
    found = exact.generate(PROMPTS[:2], 30, samples=3)
    assert [each.prompt for each in found] == [PROMPTS[0]] * 3 + [PROMPTS[1]] * 3
    assert len({each.text for each in found}) == 6
    first = found[0].seed
    assert first is not None and [each.seed for each in found] == [first, first + 1, first + 2] * 2
    assert exact.generate(PROMPTS[:2], 30, samples=3, seed=first) == found
    assert [exact.generate(PROMPTS[1], 30, seed=each.seed).text for each in found[3:]] == [
        each.text for each in found[3:]
    ]
    assert exact.generate(PROMPTS[1], 30).seed != found[0].seed


def test_prompt_cache_keeps_to_the_products_of_prompts(here: Workshop, model: gpt2forge.Model) -> None:
    changes = ("quantization.granularity=channel", "quantization.few_rows=blocks")
    words = (word for change in changes for word in ("--set", change))
    here.run("build", "nano-cpu-int8", "--name", "nano-few-rows", *words)
    few = gpt2forge.load("build/nano-few-rows", threads=1)
    assert (model.open_prompt_cache().fewest, few.open_prompt_cache().fewest) == (2, 8)
    text = (ROOT / "examples/nano/heldout.txt").read_text()
    for start in range(0, 4000, 500):
        prompt = few.tokenizer.decode(few.encode(text[start : start + 400])[:34])
        cache = few.open_prompt_cache()
        few.generate(prompt, 1, temperature=0, prompt_cache=cache)
        longer = f"{prompt} = 1"
        cached = few.generate(longer, 40, temperature=0, prompt_cache=cache)
        assert cached == few.generate(longer, 40, temperature=0)


def test_log_probabilities_are_those_of_the_score(exact: gpt2forge.Model) -> None:
    found = exact.generate("import os\n", 12, seed=4, repetition_penalty=1.2, log_probabilities=True)
    assert len(found.log_probabilities) == found.count
    whole = [*exact.encode("import os\n"), *found.tokens]
    rows = exact.log_probabilities(whole)
    wanted = [rows[place - 1, whole[place]] for place in range(len(whole) - found.count, len(whole))]
    assert found.log_probabilities == pytest.approx(wanted, rel=1e-4)
    assert exact.logits(whole).shape == (len(whole), 4096)
    assert exact.score("import os\n", "import sys").scored == len(exact.encode("import sys"))


def test_settings_change_the_text_as_they_say(exact: gpt2forge.Model) -> None:
    plain = exact.generate("import os\n", 60, temperature=0)
    stopped = exact.generate("import os\n", 60, temperature=0, stop=["import"])
    assert stopped.finish == "stop"
    assert plain.text.startswith(stopped.text) and "import" not in stopped.text
    ended = exact.generate("import os\n", 60, temperature=0, ends=[plain.tokens[5]])
    assert (ended.finish, ended.tokens) == ("end", plain.tokens[: plain.tokens.index(plain.tokens[5])])
    banned = exact.generate("import os\n", 60, temperature=0, banned=["import", "from"]).text
    assert "import" in plain.text and "import" not in banned
    forbidden = exact.generate("import os\n", 60, temperature=0, bias={plain.tokens[0]: float("-inf")})
    assert plain.tokens[0] not in forbidden.tokens
    varied = exact.generate("import os\n", 60, temperature=0, no_repeat_ngram=2).tokens
    pairs = list(pairwise(varied))
    assert len(set(pairs)) == len(pairs)


def test_text_can_go_past_the_context(model: gpt2forge.Model) -> None:
    long = "x = 1\n" * 200
    assert model.generate(long, 20, overflow="truncate", ignore_end=True).count == 20
    assert model.generate(long, 400, overflow="slide", ignore_end=True).count == 400
    with pytest.raises(
        gpt2forge.UserError, match=r"^prompt 2: the prompt's \d+ tokens fill this model's context of 256"
    ):
        model.generate(["x", long])


def test_text_is_cancelled_from_another_thread(model: gpt2forge.Model) -> None:
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: model.generate("x", 10**6, overflow="slide", ignore_end=True, cancel=cancel))
        time.sleep(0.05)
        cancel.set()
        assert future.result(timeout=20).finish == "cancelled"


def test_model_says_that_it_does_not_outlive_a_fork(model: gpt2forge.Model) -> None:
    stream = model.stream("x", 5)
    next(stream)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        for use in (lambda: model.generate("x", 2), lambda: model.score("x = 1"), lambda: next(stream)):
            try:
                use()
            except gpt2forge.UserError as error:
                os.write(writing, f"{error}\n".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        said = lines.read().splitlines()
    os.waitpid(process, 0)
    assert len(said) == 3
    assert {line.partition(",")[0] for line in said} == {f"this model was opened in process {os.getpid()}"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "x", "temperature": -1.0}, "temperature is -1.0; it must be 0 or more"),
        ({"prompt": "x", "top_p": 0.0}, "top-p is 0.0; it must be above 0 and at most 1"),
        ({"prompt": "x", "max_tokens": 0}, "max-tokens is 0; it must be 1 or more"),
        ({"prompt": "a\ud800b"}, "the text: character 1 is U+D800, half of a surrogate pair; take it out"),
        (
            {"prompt": "x", "max_tokens": 256},
            "the prompt's 1 tokens and 256 new ones exceed this model's context of 256; ask for at most 255 new ones, "
            "or use `--overflow truncate` or `--overflow slide`",
        ),
    ],
    ids=["temperature", "top_p", "max_tokens", "surrogate", "too long"],
)
def test_wrong_value_is_refused_before_anything_runs(
    model: gpt2forge.Model, values: dict[str, object], message: str
) -> None:
    with pytest.raises(gpt2forge.UserError) as error:
        model.stream(**values)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_threads_share_a_model(model: gpt2forge.Model) -> None:
    prompts = ["def ", "class ", "import ", "x = "] * 2
    alone = [model.generate(prompt, 30, seed=1) for prompt in prompts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda prompt: model.generate(prompt, 30, seed=1), prompts)) == alone


def test_copied_directory_is_loaded_by_its_path_and_by_one_word(here: Workshop, model: gpt2forge.Model) -> None:
    here.run("copy", "nano-cpu-int8", "shipped")
    folder = here.folder / "shipped"
    wanted = model.generate(PROMPT, 10, seed=1)
    for reference in ("shipped", "./shipped", Path("shipped"), folder, str(folder)):
        assert gpt2forge.load(reference, threads=1).generate(PROMPT, 10, seed=1) == wanted
    written = here.run("generate", "./shipped", "-p", PROMPT, "-n", "10", "--seed", "1", "--threads", "1").stdout
    assert written == f"{PROMPT}{wanted}\n"


def test_recipe_goes_before_a_directory_of_its_name(here: Workshop) -> None:
    Path("nano-cpu-int8").mkdir()
    try:
        assert gpt2forge.load("nano-cpu-int8").context == 256
        with pytest.raises(gpt2forge.UserError) as error:
            gpt2forge.load(Path("nano-cpu-int8"))
    finally:
        Path("nano-cpu-int8").rmdir()
    message = "has no `model.onnx`; name a recipe, or a directory that was built or copied"
    assert str(error.value) == f"nano-cpu-int8: {message}"


def test_what_is_not_built_says_what_to_run(here: Workshop) -> None:
    with pytest.raises(gpt2forge.UserError) as error:
        gpt2forge.load("355m-cpu-int8")
    assert str(error.value) == "`355m-cpu-int8` is not built; run `gpt2forge build 355m-cpu-int8`"


def test_score_is_the_loss_of_transformers_on_the_converted_model(here: Workshop) -> None:
    report = here.report("nano-cpu-fp32")
    converted = here.store / "artifacts" / report["steps"][0]["digest"]
    model, reference = gpt2forge.load("nano-cpu-fp32"), GPT2LMHeadModel.from_pretrained(converted).eval()
    text = (ROOT / "examples/nano/heldout.txt").read_text()[:4000]
    tokens, total, scored = model.encode(text), 0.0, 0
    for start in range(0, len(tokens), model.context):
        window = torch.tensor([tokens[start : start + model.context]])
        with torch.no_grad():
            total -= reference(input_ids=window, labels=window).loss.item() * (window.shape[1] - 1)
        scored += window.shape[1] - 1
    score = model.score(text)
    assert scored > 3 * model.context
    assert (score.tokens, score.scored) == (len(tokens), scored)
    assert score.log_probability == pytest.approx(total, rel=1e-5)
    assert score.perplexity == pytest.approx(math.exp(-total / scored), rel=1e-5)


def test_code_is_likelier_than_the_same_words_sorted(model: gpt2forge.Model) -> None:
    code = "def __init__(self, name):\n    self.name = name\n"
    assert model.score(code).perplexity < model.score(" ".join(sorted(code.split()))).perplexity


def test_tokens_and_text_are_each_others_inverse(model: gpt2forge.Model) -> None:
    for text in ("", "naïve 👩‍👩‍👧‍👦\r\n\0", "a<|endoftext|>b"):
        assert model.decode(model.encode(text)) == text
    assert model.decode(model.encode("é")[:1]) == "\ufffd"
    assert model.encode("<|endoftext|>") == list(model.ends)
    with pytest.raises(gpt2forge.UserError) as error:
        model.decode([1, 4096])
    assert str(error.value) == "the token 4096 is outside this model's vocabulary; give tokens from 0 to 4095"


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("text", lambda model: model.stream(5)),
        ("text", lambda model: model.generate(["x", 5])),
        ("samples", lambda model: model.generate(["x"], samples="2")),
        ("stop", lambda model: model.generate("x", stop="\n")),
        ("text", lambda model: model.score(b"abc")),
        ("max_tokens", lambda model: model.generate("x", max_tokens="3")),
        ("temperature", lambda model: model.generate("x", temperature=None)),
        ("top_k", lambda model: model.stream("x", top_k=1.5)),
        ("seed", lambda model: model.stream("x", seed="a")),
        ("tokens", lambda model: model.decode(["a"])),
        ("threads", lambda model: gpt2forge.load("nano-cpu-int8", threads="2")),
        ("built", lambda model: gpt2forge.load(5)),
        ("changes", lambda model: gpt2forge.build("nano-cpu-int8", changes=[5], name="x")),
    ],
)
def test_wrong_type_names_the_argument(
    model: gpt2forge.Model, name: str, use: Callable[[gpt2forge.Model], object]
) -> None:
    with pytest.raises(TypeError, match=rf"^`{name}` must be "):
        use(model)


@pytest.mark.parametrize("threads", [-1, 100_000])
def test_number_of_threads_that_no_machine_has_use_for_is_refused(here: Workshop, threads: int) -> None:
    with pytest.raises(gpt2forge.UserError, match=f"^{threads} threads were asked for; here it may be 0"):
        gpt2forge.load("nano-cpu-int8", threads=threads)


def test_store_is_a_folder_of_its_own(here: Workshop) -> None:
    with pytest.raises(gpt2forge.UserError, match=r"^the store cannot be the working directory itself"):
        gpt2forge.build("nano-cpu-int8", store="", skip="verify,benchmark")


def test_packed_weights_write_the_same_text_and_a_prompt_cache_too(here: Workshop, tmp_path: Path) -> None:
    prompt = "import os\nimport sys\n" * 12
    wanted = gpt2forge.load("nano-cpu-int8").generate(prompt, 8, temperature=0).text
    for _ in range(2):
        model = gpt2forge.load("nano-cpu-int8", packed=tmp_path / "packed")
        cache = model.open_prompt_cache(tmp_path / "kept")
        assert model.generate([prompt, prompt], 8, temperature=0, prompt_cache=cache)[1].text == wanted
        assert "".join(model.stream(prompt, 8, temperature=0, prompt_cache=cache)) == wanted
        cache.save(tmp_path / "kept")
    with pytest.raises(gpt2forge.UserError, match="the prompt cache belongs to another model"):
        model.generate(prompt, 8, prompt_cache=replace(cache, package="00" * 32))


def test_argument_of_a_wrong_type_is_named(model: gpt2forge.Model) -> None:
    calls: dict[str, Callable[[], object]] = {
        "cancel": lambda: model.generate("a", 1, cancel=5),  # type: ignore[call-overload]
        "prompt_cache": lambda: model.generate("a", 1, prompt_cache=5),  # type: ignore[call-overload]
        "log_probabilities": lambda: model.generate("a", 1, log_probabilities="x"),  # type: ignore[call-overload]
        "stride": lambda: model.score("a b c", stride="a"),  # type: ignore[arg-type]
        "text": lambda: model.logits(5),  # type: ignore[arg-type]
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^`{name}` must "):
            call()


def test_what_a_search_or_an_answer_has_no_use_for_is_an_error(model: gpt2forge.Model) -> None:
    with pytest.raises(gpt2forge.UserError, match="a search with beams records no log-probabilities"):
        model.generate("a", 2, beams=2, log_probabilities=True)
    with pytest.raises(gpt2forge.UserError, match="`stride` is for a long text"):
        model.score("a", "b", stride=2)


def test_huge_text_that_must_fit_the_context_is_refused_at_once(model: gpt2forge.Model) -> None:
    """Tokens of 20 MB took 26 seconds and 3.2 GB."""
    huge, before = "import os and words " * 1_000_000, psutil.Process().memory_info().rss
    began = time.process_time()
    for call in (lambda: model.score(huge, "a"), lambda: model.score("a", huge), lambda: model.logits(huge)):
        with pytest.raises(gpt2forge.UserError, match="has more tokens than this model's context of 256; shorten it"):
            call()
    assert time.process_time() - began < 5
    assert psutil.Process().memory_info().rss - before < 100e6
