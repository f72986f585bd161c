"""Exit codes, messages and help of the command line."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gpt2forge.cli import program
from tests.workshop import ROOT, UNMEASURED, Workshop, copy_workshop, make_workshop


def test_help_lists_every_command(workshop: Workshop) -> None:
    text = workshop.run("--help").stdout
    assert all(f"\n  {command} " in text for command in program.COMMANDS)


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_command_has_help(workshop: Workshop, command: str) -> None:
    assert workshop.run(command, "--help").stdout.startswith(f"Usage: gpt2forge {command} ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["biuld", "x"], "error: No such command 'biuld'. Did you mean 'build'?"),
        (["build"], "error: Missing argument 'RECIPE...'; `gpt2forge build --help` shows what it takes"),
        (
            ["plan", "NANO-CPU-INT8"],
            "error: `NANO-CPU-INT8`: there is no `recipes/NANO-CPU-INT8.yaml`; did you mean `nano-cpu-int8`?",
        ),
        (
            ["plan", "nano-cpu-int8", "--skip", "verify", "benchmark"],
            "error: `benchmark` is a step, and no recipe; several steps are one word, `--skip verify,benchmark`",
        ),
        (
            ["plan", "nano-cpu-int8", "--set"],
            "error: Option '--set' requires an argument; `gpt2forge plan --help` shows what it takes",
        ),
        (["help"], "error: No such command 'help'; `gpt2forge --help` lists the commands"),
        (["nano-cpu-int8"], "error: No such command 'nano-cpu-int8'; did you mean `gpt2forge build nano-cpu-int8`?"),
        (["plan", "nano-cpu-int8", "-skip", "verify"], "error: No such option '-s'; did you mean `--skip`?"),
        (
            ["build", "nano-cpu-int8", "--jobs", "two"],
            "error: Invalid value for '--jobs': 'two' is not a whole number.",
        ),
        (["build", "nano-cpu-int8", "--jobs", "0"], "error: Invalid value for '--jobs': 0 is not in the range from 1."),
        (
            ["plan", "nano-cpu-int8", "--set", "scheme=int4"],
            "error: --set scheme=int4: unknown key `scheme`; did you mean `quantization.scheme`?",
        ),
        (
            ["plan", "nano-cpu-int8", "--skip", "benchmrk"],
            "error: `--skip benchmrk`: only `reference`, `verify`, `benchmark` can be skipped; did you mean `benchmark`?",
        ),
        (
            ["why", "nano-cpu-int8", "quantise"],
            "error: `quantise`: this recipe has no such step; did you mean `quantize`?",
        ),
        (
            ["build", "nano-cpu-int8", "--jason"],
            "error: No such option '--jason'. (Did you mean one of: '--jobs', '--json'?)",
        ),
        (
            ["build", "nano-cpu-in8"],
            "error: `nano-cpu-in8`: there is no `recipes/nano-cpu-in8.yaml`; did you mean `nano-cpu-int8`?",
        ),
        (["plan", "nano-cpu-int8", "--set", "x"], "error: --set x: write it as `--set section.key=value`"),
    ],
)
def test_mistake_is_one_line_and_exit_code_1(workshop: Workshop, words: list[str], message: str) -> None:
    done = workshop.run(*words, code=1)
    assert done.stdout == ""
    assert done.stderr == message + "\n"


def test_faults_of_a_recipe_are_a_line_each(workshop: Workshop, tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("name: bad\nsource: {checkpoint: x}\ntarget: {device: gpu}\nfusion: {gelo: true}\n")
    done = workshop.run("build", str(recipe), code=1)
    assert done.stderr.splitlines() == [
        f"error: {recipe}:3:10: `target.device: gpu` must be one of `cpu`, `cuda`; did you mean `cuda`?",
        f"error: {recipe}:4:10: unknown key `fusion.gelo`; did you mean `gelu`?",
    ]


def test_command_alone_shows_the_help(workshop: Workshop) -> None:
    assert workshop.run().stdout == workshop.run("--help").stdout


@pytest.mark.slow
def test_terminal_shows_each_outcome(tmp_path: Path, built_once: Workshop) -> None:
    """On a real terminal, rich draws bars below the lines and wipes them again."""
    shop = copy_workshop(built_once, tmp_path / "here")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", "--rerun", "fuse", *UNMEASURED]
    with subprocess.Popen(command, cwd=shop.folder, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux reports the closed other end as an error
            while piece := os.read(ours, 1 << 16):
                shown += piece
    os.close(ours)
    # The visible part of each line follows the last control code that wipes it.
    lines = [re.split(rb"\x1b\[2K", line)[-1] for line in shown.split(b"\n")]
    texts = [re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|\r", b"", line).decode() for line in lines]
    expected = {
        **dict.fromkeys(("convert", "export", "quantize"), r"reused +{}"),
        "fuse": r"built +{} +[0-9.]+ s  asked for by `--rerun`",
        **dict.fromkeys(("reference", "verify", "benchmark"), r"skipped +{} +asked for by `--skip`"),
    }
    for stage, pattern in expected.items():
        assert any(re.match(pattern.format(stage), text) for text in texts), texts


@pytest.mark.slow
def test_closed_stdout_is_no_bug(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    program = "exec >&-; exec " + " ".join([sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", *UNMEASURED])
    done = subprocess.run(["bash", "-c", program], cwd=workshop.folder, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bug_is_one_line_with_a_log_and_exit_code_3(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path)
    program = (
        "import sys; from gpt2forge.cli import program, schema_command;"
        "schema_command.Recipe = None; sys.exit(program.run(['schema']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=shop.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    message, _, rest = done.stderr.partition("`")
    assert message == "error: a bug in gpt2forge; please report it with "
    log = Path(rest.removesuffix("`\n"))
    assert "AttributeError" in log.read_text()
    log.unlink()


def listen() -> None:
    """Listen to Ctrl-C as in a terminal: a process in the background may inherit that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_with_130_and_leaves_no_process(tmp_path: Path, number: int) -> None:
    shop = make_workshop(tmp_path)
    command = [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8"]
    build = subprocess.Popen(command, cwd=shop.folder, stderr=subprocess.PIPE, text=True, preexec_fn=listen)
    while not list(shop.store.glob("making/*")):
        time.sleep(0.005)
    os.kill(build.pid, number)
    _, messages = build.communicate()
    assert build.returncode == 130
    assert messages.splitlines()[-1] == "error: interrupted; finished steps are kept"
    assert list(shop.store.glob("making/*")) == []
    assert json.loads((shop.folder / "build/nano-cpu-int8.json").read_text())["error"] == "interrupted"
    shop.run("build", "nano-cpu-int8", "--until", "convert")


def test_interrupt_before_the_command_line_listens_is_one_line() -> None:
    program = """\
import os, signal, sys
from gpt2forge.main import main

class Press:
    def find_spec(self, name, path, target=None):
        if name == "gpt2forge.cli.program":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Press())
sys.argv[1:] = ["plan", "nano-cpu-int8"]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_help_and_plan_import_no_heavy_library() -> None:
    program = (
        "import sys; from gpt2forge.cli import program; program.load_command('plan');"
        "print(sorted({'gpt2forge.builder.build', 'gpt2forge.executor.scheduler', 'psutil'} & set(sys.modules)));"
        "program.run(['--help']);"
        "print(sorted({'torch', 'transformers', 'onnx', 'onnx_ir', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("[]", "[]")


def test_build_that_has_nothing_to_do_imports_no_heavy_library(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    program = (
        "import sys; from gpt2forge.cli import program; program.run(['build', 'nano-cpu-int8', '--skip', 'verify,benchmark']);"
        "print(sorted({'torch', 'transformers', 'onnx', 'onnx_ir', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=workshop.folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", program.COMMANDS)
def test_no_option_of_a_command_is_two(command: str) -> None:
    names = [name for each in program.load_command(command).params for name in (*each.opts, *each.secondary_opts)]
    assert sorted(names) == sorted(set(names))
