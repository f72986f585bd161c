"""`gpt2forge generate` with built recipes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.checkpoint.safetensors import read_header
from gpt2forge.cli.prompts import read_prompt
from gpt2forge.errors import UserError
from gpt2forge.runtime.generation import Generation
from tests.workshop import Workshop, prepare

pytestmark = pytest.mark.slow

PROMPT = "def __init__(self,"
GREEDY = ("-t", "0")


def test_text_is_plausible_code_and_greedy_text_is_always_the_same(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    texts = {workshop.run("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "40", *GREEDY).stdout for _ in range(2)}
    (text,) = texts
    assert text.startswith(PROMPT)
    assert "self." in text
    assert text.endswith("\n")


def test_text_behind_the_recipe_is_the_prompt(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    by_option = workshop.run("generate", "nano-cpu-int8", "-p", "import o", "-n", "2", *GREEDY).stdout
    assert workshop.run("generate", "nano-cpu-int8", "import o", "-n", "2", *GREEDY).stdout == by_option
    assert workshop.run("generate", "nano-cpu-int8", "-", "-n", "2", *GREEDY, stdin="import o").stdout == by_option


def test_no_prompt_or_two_are_told(workshop: Workshop) -> None:
    none = workshop.run("generate", "nano-cpu-int8", code=1).stderr
    assert none == 'error: which text is to be continued? `gpt2forge generate nano-cpu-int8 "the text"`\n'
    assert "named twice" in workshop.run("generate", "nano-cpu-int8", "a", "-p", "b", code=1).stderr


def test_seed_decides_what_is_drawn(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "30", "-t", "0.9", "--top-k", "40", "--top-p", "0.95")
    texts = [workshop.run(*words, "--seed", seed).stdout for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_json_has_what_was_added(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "8", "--ignore-end", "--json")
    found = json.loads(done.stdout)
    assert (found["prompt"], found["tokens"], found["finish"]) == (PROMPT, 8, "length")
    assert found["text"] and found["seed"] >= 0
    assert done.stderr == ""


def test_seed_that_was_drawn_is_written_and_repeats_the_text(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "20")
    first, second = workshop.run(*words), workshop.run(*words)
    assert re.fullmatch(r"seed \d+\n", first.stderr)
    assert first.stderr != second.stderr
    again = workshop.run(*words, "--seed", first.stderr.split()[1])
    assert (again.stdout, again.stderr) == (first.stdout, "")


@pytest.mark.parametrize("prompts", ["file", "-"])
def test_each_line_is_continued_in_its_order(workshop: Workshop, tmp_path: Path, prompts: str) -> None:
    workshop.build("nano-cpu-int8")
    lines = "import os\r\n\nclass A:\n"
    (tmp_path / "file").write_text(lines, newline="")
    path = str(tmp_path / "file") if prompts == "file" else "-"
    words = ("--prompts", path, "-n", "5", "--samples", "2", "--batch", "4", "--json", "--seed", "3")
    written = workshop.run("generate", "nano-cpu-int8", *words, stdin=lines).stdout
    found = [json.loads(line) for line in written.splitlines()]
    assert [each["prompt"] for each in found] == ["import os"] * 2 + [""] * 2 + ["class A:"] * 2
    assert len({each["text"] for each in found}) > 3
    plain = workshop.run("generate", "nano-cpu-int8", *(word for word in words if word != "--json"), stdin=lines).stdout
    assert plain == "".join(f"{each['prompt']}{each['text']}\n" for each in found)


def test_each_sample_can_be_repeated_alone_by_its_seed(workshop: Workshop) -> None:
    words = ("generate", "nano-cpu-int8", "class A:", "-n", "12", "--json", "--seed")
    samples = workshop.run(*words, "5", "--samples", "3", "--batch", "1").stdout.splitlines()
    found = [json.loads(line) for line in samples]
    assert [each["seed"] for each in found] == [5, 6, 7]
    alone = [json.loads(workshop.run(*words, str(each["seed"])).stdout) for each in found]
    assert [each["ids"] for each in found] == [each["ids"] for each in alone]


def test_stop_strings_bans_biases_and_ends_are_heeded(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("generate", "nano-cpu-int8", "-p", "import os\n", "-n", "40", *GREEDY, "--json")

    def write(*more: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(workshop.run(*words, *more).stdout)
        return found

    assert write("--stop", "import")["finish"] == "stop"
    assert "import" not in str(write("--ban", "import")["text"])
    assert write("--bias", "import=-inf")["text"] != write()["text"]
    assert write("--end", "import")["finish"] == "end"
    assert write("--beams", "3")["seed"] is None


def test_guesses_change_no_likeliest_token_and_save_passes(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("generate", "nano-cpu-int8", "-p", "    a = 1\n" * 8, "-n", "60", "--json", "--ignore-end")

    def write(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(workshop.run(*words, *more).stdout)
        return found

    plain = write(*GREEDY)
    assert plain["passes"] == 60
    for guesser in ("prompt-lookup", "nano-cpu-int8"):
        assert write(*GREEDY, "--speculative", guesser)["text"] == plain["text"]
        assert write("-t", "0.01", "--speculative", guesser)["passes"] < 60
    assert write(*GREEDY, "--speculative", "none")["passes"] == 60
    assert "no `recipes/nobody.yaml`" in workshop.run(*words, "--speculative", "nobody", code=1).stderr


def test_chat_writes_the_answer_to_what_the_template_makes(workshop: Workshop, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    workshop.build("nano-cpu-int8")
    workshop.run("copy", "nano-cpu-int8", str(tmp_path / "chat"))
    template = "{% for each in messages %}# {{ each.role }}: {{ each.content }}\n{% endfor %}def"
    (tmp_path / "chat/chat_template.jinja").write_text(template)
    words = ("generate", str(tmp_path / "chat"), "-n", "9", *GREEDY)
    prompt = "# system: Be brief.\n# user: Add.\ndef"
    answer = workshop.run(*words, "--chat", "-p", "Add.", "--system", "Be brief.").stdout
    assert prompt + answer == workshop.run(*words, "-p", prompt).stdout
    assert json.loads(workshop.run(*words, "--chat", "-p", "Add.", "--json").stdout)["prompt"] == "# user: Add.\ndef"


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (("-t", "0", "--top-k", "5"), "`--top-k` has no effect: `--temperature 0` draws nothing"),
        (
            ("-t", "0", "--top-p", "0.5", "--seed", "1"),
            "`--top-p`, `--seed` have no effect: `--temperature 0` draws nothing",
        ),
        (("-t", "0", "--beams", "2"), "`--temperature` has no effect: `--beams` draws nothing"),
        (("-t", "0", "--length-penalty", "2"), "`--length-penalty` has no effect: there are no `--beams`"),
        (
            ("-t", "0", "--ignore-end", "--min-tokens", "2"),
            "`--min-tokens` has no effect: `--ignore-end` lets no token end a text",
        ),
        (
            ("-t", "0", "--speculative", "prompt-lookup", "--batch", "2"),
            "`--batch` has no effect: `--speculative` writes one text at a time",
        ),
        (("-t", "0", "--system", "x"), "`--system` has no effect: there is no `--chat`"),
        (("-t", "0", "--speculative-tokens", "4"), "`--speculative-tokens` has no effect: there is no `--speculative`"),
        (("-t", "0", "--batch", "4"), "`--batch` has no effect: there is one text"),
        (("-t", "0", "--n", "2"), "`--samples` has no effect: `--temperature 0` writes the same text each time"),
        (
            ("-t", "0", "-p", "def "),
            "the prompt ends in a space, which hides the words that bring their own; leave it out for better text",
        ),
    ],
)
def test_options_without_effect_are_one_line(workshop: Workshop, words: tuple[str, ...], warning: str) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "-n", "2", "-p", "x", *words)
    assert done.stderr == f"warning: {warning}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), 'which text is to be continued? `gpt2forge generate nano-cpu-int8 "the text"`'),
        (("-p", "x", "--prompts", "-"), "the prompt is named twice"),
        (("--prompts", "none.txt"), "none.txt: No such file or directory"),
        (
            ("--prompts", "/dev/zero"),
            "/dev/zero: a pipe, a device or a socket, not a file; name a file of text, or `-`",
        ),
        (("--prompts", "-"), "standard input: is empty; write one prompt a line"),
        (("-p", "x", "--bias", "the"), "--bias: `the` is not TOKEN=NUMBER, as in `--bias ' the=-2'`"),
        (("-p", "x", "--end", "some words"), "`some words` is "),
        (("-p", "x", "--chat"), "this model has no chat_template.jinja, so it was not made for chats"),
        (("-p", "x", "-n", "4", "--min-tokens", "5"), "min-tokens is 5, more than max-tokens, 4; lower it"),
        (("-p", "x", "--beams", "2", "--samples", "3"), "3 samples need as many beams, but there are 2"),
        (("-p", "x", "--beams", "2", "--overflow", "slide"), "beams cannot go past the context"),
    ],
)
def test_what_cannot_be_done_is_one_line(workshop: Workshop, words: tuple[str, ...], error: str) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "--seed", "1", *words, code=1)
    *warnings, last = done.stderr.splitlines()
    assert last.startswith("error: ") and error in last
    assert all(line.startswith("warning: ") for line in warnings)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words", [("-p", "-"), ("--prompts", "-"), ("--prompts", "long.txt"), ("--prompts", "mean.txt")]
)
def test_huge_prompt_is_refused_at_once(workshop: Workshop, words: tuple[str, ...]) -> None:
    """Tokens of 20 MB took 22 seconds and 3.3 GB."""
    workshop.build("nano-cpu-int8")
    (workshop.folder / "long.txt").write_text("x = 1 " * 3_500_000)
    (workshop.folder / "mean.txt").write_text("x = 1 " * 600_000)
    stdin = (workshop.folder / "long.txt").read_text() if "-" in words else ""
    error = workshop.run("generate", "nano-cpu-int8", *words, stdin=stdin, code=1).stderr
    assert re.search("has more (than 4194304 bytes|tokens than this model's context of 256); shorten ", error)
    assert prepare(workshop.python).peak < 130e6  # of which the interpreter and its modules have half


def start(workshop: Workshop, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", *words]
    return subprocess.Popen(command, cwd=workshop.folder, **streams)


def test_reader_that_ends_is_no_error(workshop: Workshop) -> None:
    """As in `gpt2forge generate ... | head -c 20`."""
    workshop.build("nano-cpu-int8")
    words = ("-p", "x", "-n", "2000", "--overflow", "slide", "--ignore-end", "--seed", "1")
    with start(workshop, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.read(20)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_streams_are_no_bug(workshop: Workshop, closed: int) -> None:
    workshop.build("nano-cpu-int8")
    words = ("-p", "-" if closed == 0 else "x", "-n", "2", "--seed", "1")
    with start(workshop, *words, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(closed)) as process:
        assert process.stderr
        error = process.stderr.read().decode()
    assert process.returncode == (1 if closed == 0 else 0)
    assert error.startswith("error: standard input: is closed; " if closed == 0 else "")
    assert error.count("\n") == (1 if closed == 0 else 0)


@pytest.mark.parametrize("moment", ["_multiarray_umath", "tokenizers", "onnxruntime_pybind", ""])
def test_interrupt_at_any_moment_is_no_bug(workshop: Workshop, moment: str) -> None:
    """A moment is the file that the process reads then; the last one is when it writes."""
    workshop.build("nano-cpu-int8")
    words = ("-p", "x", "-n", "100000", "--overflow", "slide", "--ignore-end", "--seed", "1")
    with start(workshop, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        if moment:
            wait_for(process.pid, moment)
        else:
            process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        error = process.stderr.read().decode()
    assert process.returncode == 130
    assert error.strip() == "error: interrupted; finished steps are kept"


def wait_for(pid: int, name: str) -> None:
    """Wait until a process has a file of this name in memory, or has gone on to write."""
    maps = Path(f"/proc/{pid}/maps")
    for _ in range(10_000):
        if name in maps.read_text() or "onnxruntime_pybind" in maps.read_text():
            return
        time.sleep(0.0005)


def test_prompt_comes_from_standard_input(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    assert workshop.run("generate", "nano-cpu-int8", "-p", "-", "-n", "1", stdin="import o").stdout.startswith(
        "import o"
    )


def test_text_streams(workshop: Workshop) -> None:
    """The text arrives in several pieces, not at the end."""
    workshop.build("nano-cpu-int8")
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", "-p", PROMPT, "-n", "200", *GREEDY]
    with subprocess.Popen(command, cwd=workshop.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout
        pieces = 0
        while os.read(process.stdout.fileno(), 1 << 16):
            pieces += 1
            time.sleep(0.001)
    assert pieces > 3


def test_prompt_that_fills_the_context_is_one_line(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "-p", "x = 1\n" * 300, code=1)
    assert done.stderr.startswith("error: the prompt's ")
    assert "; shorten it, or use `--overflow truncate`" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("prompt", "stdin", "where"), [("a\udcff", b"", "the prompt"), ("-", b"caf\xe9", "standard input")]
)
def test_prompt_that_is_not_text_is_one_line(workshop: Workshop, prompt: str, stdin: bytes, where: str) -> None:
    workshop.build("nano-cpu-int8")
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", "-p", prompt]
    done = subprocess.run(command, cwd=workshop.folder, input=stdin, capture_output=True, check=False)
    place = 1 if stdin == b"" else 3
    assert done.stderr.decode() == f"error: {where}: is not UTF-8 text at byte {place}; convert it first\n"
    assert done.returncode == 1


def test_standard_input_that_never_ends_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as zeros:
        monkeypatch.setattr(sys, "stdin", zeros)
        with pytest.raises(UserError, match="has more than 4194304 bytes; shorten the prompt"):
            read_prompt("-")


def test_path_of_a_directory_means_that_directory(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    shipped = tmp_path / "nano-cpu-int8"
    workshop.run("copy", "nano-cpu-int8", str(shipped))
    (shipped / "tokenizer.json").unlink()
    done = workshop.run("generate", str(shipped), "-p", "x", code=1)
    assert done.stderr.startswith(f"error: {shipped}/tokenizer.json: ")


def test_recipe_that_is_not_built_says_what_to_run(workshop: Workshop) -> None:
    done = workshop.run("generate", "355m-cpu-int8", "-p", "x", code=1)
    assert done.stderr == "error: `355m-cpu-int8` is not built; run `gpt2forge build 355m-cpu-int8`\n"


def test_every_nano_recipe_writes_text(workshop: Workshop) -> None:
    for recipe in ("nano-cpu-fp32", "nano-cpu-int4", "nano-vnni-int8"):
        workshop.build(recipe)
        text = workshop.run("generate", recipe, "-p", PROMPT, "-n", "20", *GREEDY).stdout
        assert text.startswith(PROMPT)
        assert re.search(r"\b(self|name)\b", text[len(PROMPT) :])


def test_variant_is_built_and_writes_text(workshop: Workshop) -> None:
    assert workshop.build("nano-cpu@int8-32").is_symlink()
    for reference in ("nano-cpu@int8-32", "recipes/nano-cpu.yaml@int8-32", "nano-c*@int8-32"):
        text = workshop.run("generate", reference, "-p", PROMPT, "-n", "20").stdout
        assert text.startswith(PROMPT)
    done = workshop.run("generate", "nano-cpu", "-p", "x", code=1)
    variants = ("fp32", "int8-32", "int8-128", "channel", "int4-32", "mixed", "fitted", "tuned")
    names = ", ".join(f"`nano-cpu@{variant}`" for variant in variants)
    assert done.stderr == f"error: `nano-cpu`: selects several recipes, and one is needed; there are {names}\n"
    done = workshop.run("generate", "nano-cpu@int8-33", "-p", "x", code=1)
    assert done.stderr.startswith("error: `nano-cpu@int8-33`: `recipes/nano-cpu.yaml` has no variant `int8-33`; did")


def test_help_names_the_usual_number_of_tokens(workshop: Workshop) -> None:
    text = " ".join(workshop.run("generate", "--help").stdout.split())
    assert f"Default: what the package says or {Generation().usual_tokens}," in text


def test_speed_is_shown_on_a_terminal(workshop: Workshop) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", "def", "-n", "4", "-t", "0"]
    done = subprocess.run(command, cwd=workshop.folder, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    assert done.stdout.startswith(b"def")
    assert re.fullmatch(r"4 tokens, \d+ tokens/s\s*", os.read(ours, 1000).decode())
    os.close(ours)


def test_texts_are_told_apart_on_a_terminal_alone(workshop: Workshop) -> None:
    ours, theirs = pty.openpty()
    words = ("generate", "nano-cpu-int8", "def", "-n", "3", "--samples", "2", "--seed", "8")
    command = [sys.executable, "-m", "gpt2forge", *words]
    subprocess.run(command, cwd=workshop.folder, stdout=theirs, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode().replace("\r\n", "\n")
    os.close(ours)
    first, second = shown.split("text 2 of 2, seed 9\n")
    texts = first.removeprefix("text 1 of 2, seed 8\n") + second
    assert texts == workshop.run(*words).stdout


def test_packed_weights_change_no_text_and_are_written_once(workshop: Workshop, tmp_path: Path) -> None:
    words = ("generate", "build/nano-cpu-int8", "-t", "0", "--max-tokens", "8", "-p", "import os\n")
    folder = tmp_path / "packed"
    written = []
    for _ in range(2):
        assert workshop.run(*words, "--packed", str(folder)).stdout == workshop.run(*words).stdout
        written.append((folder / "model.onnx").stat().st_ino)
    assert written[0] == written[1]
    refused = workshop.run(*words, "--packed", str(tmp_path), code=1).stderr
    assert refused == f"error: {tmp_path}: is no folder of packed weights; name a new folder\n"


def test_prompt_cache_changes_no_text_and_belongs_to_its_model(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    path, prompt = tmp_path / "kept", "import os\nimport sys\n" * 12
    words = ("generate", "nano-cpu-int8", "-n", "12", *GREEDY)
    first, second = (f"{prompt}{end}" for end in ("import re\n", "def main("))
    kept = [workshop.run(*words, "-p", each, "--prompt-cache", str(path)).stdout for each in (first, second)]
    assert kept == [workshop.run(*words, "-p", each).stdout for each in (first, second)]
    assert read_header(path)["tokens"].shape[0] > 64
    path.write_bytes(path.read_bytes().replace(read_package(path), bytes(32)))
    refused = workshop.run(*words, "-p", first, "--prompt-cache", str(path), code=1).stderr
    assert refused == f"error: {path}: was written with another model; name another file, or remove it\n"
    none = workshop.run(*words, "-p", first, "--prompt-cache", str(tmp_path / "new"), "--beams", "2", code=1).stderr
    assert "a prompt cache works without beams and guesses" in none


def read_package(path: Path) -> bytes:
    """Return the digest that a prompt cache names."""
    place = read_header(path)["package"]
    return path.read_bytes()[place.offset : place.offset + place.nbytes]


def test_log_probabilities_and_ids_are_those_of_the_score(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    prompt = "import os\n"
    words = ("generate", "nano-cpu-int8", prompt, "-n", "8", *GREEDY, "--log-probabilities")
    (line,) = workshop.run(*words, "--json").stdout.splitlines()
    found = json.loads(line)
    assert len(found["ids"]) == len(found["log_probabilities"]) == found["tokens"] == 8
    answer = workshop.folder / "answer"
    answer.write_text(found["text"])
    score = workshop.run("score", "nano-cpu-int8", str(answer), "--prompt", prompt, "--json").stdout
    assert json.loads(score)["scored"] == 8
    assert json.loads(score)["log_probability"] == pytest.approx(sum(found["log_probabilities"]), abs=0.05)
    assert "are written with `--json`" in workshop.run(*words, code=1).stderr
    with_stride = ("score", "nano-cpu-int8", str(answer), "--prompt", prompt, "--stride", "8")
    assert "leave out `--stride` and `--tokens`" in workshop.run(*with_stride, code=1).stderr


@pytest.mark.parametrize("path", ["", ".", "nowhere/kept"])
def test_prompt_cache_that_could_not_be_written_is_refused_before_the_text(workshop: Workshop, path: str) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "x", "--prompt-cache", path, code=1)
    assert done.stderr == f"error: --prompt-cache: `{path}` is no file in a folder that is there; name one\n"
    assert done.stdout == ""


def test_a_token_of_two_biases_is_one_line(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "x", "--bias", "a=1", "--bias", "a=2", code=1)
    assert done.stderr.endswith("error: --bias: `a` is named twice; leave out one\n")
