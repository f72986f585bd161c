"""The scripts in real shells: a tab is typed, and the command line is read."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

LONGEST = 20  # seconds until a shell must have answered
MARK = "ANSWERED"
FISH = """\
source script
for line in (complete -C "$argv[1]")
    echo $line
end
"""


@pytest.fixture
def path(here: Path) -> str:
    """Return a PATH whose `gpt2forge` is this one; the scripts lie in the folder."""
    (here / "bin").mkdir()
    (here / "bin/gpt2forge").write_text(f'#!/bin/sh\nexec {sys.executable} -m gpt2forge "$@"\n')
    (here / "bin/gpt2forge").chmod(0o755)
    return f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}"


def make_script(here: Path, shell: str) -> None:
    command = [sys.executable, "-m", "gpt2forge", "completion", shell]
    (here / "script").write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def type_tabs(command: list[str], start: str, lines: list[str], *, cwd: Path, path: str) -> list[str]:
    """Type each line, a tab and a return into a shell, where `gpt2forge` shows its words; return what it showed."""
    environment = {**os.environ, "PATH": path, "TERM": "dumb", "HOME": str(cwd), "PS1": "> ", "ZDOTDIR": str(cwd)}
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(cwd)
        os.execvpe(command[0], command, environment)
    try:
        text = read_until(terminal, "READY", f"{start}; echo REA''DY\n")
        found = []
        for line in lines:
            os.write(terminal, f"{line}\t".encode())
            time.sleep(0.05)
            text = read_until(terminal, MARK, f" ; echo {MARK[:4]}''{MARK[4:]}\n")
            found.append(re.findall(r"^SAID (.*?)\r?$", text, re.MULTILINE)[-1].strip())
        return found
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def read_until(terminal: int, word: str, typed: str) -> str:
    """Type a line, and read until a word is printed."""
    os.write(terminal, typed.encode())
    text, end = "", time.monotonic() + LONGEST
    while f"\n{word}" not in text.replace("\r", "\n"):
        assert time.monotonic() < end, text
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 1 << 16).decode()
    return text


CASES = [
    ("gpt2forge bui", "build"),
    ("gpt2forge build oth", "build other"),
    ("gpt2forge build nano-cpu@int4", "build nano-cpu@int4"),
    ("gpt2forge build nano-cpu@int8-3", "build nano-cpu@int8-32"),
    ("gpt2forge build 'nano-cpu@int8-6", "build nano-cpu@int8-64"),
    ("gpt2forge build --until=conv", "build --until=convert"),
    ("gpt2forge why other quant", "why other quantize"),
    ("gpt2forge build recipes/oth", "build recipes/other.yaml"),
    ("gpt2forge inspect bui", "inspect build/"),
    ("gpt2forge build nothing-like-it", "build nothing-like-it"),
]


def test_bash_completes(here: Path, path: str) -> None:
    make_script(here, "bash")
    # When the line runs, a function of the same name shows its words; the completion runs the file.
    show = 'gpt2forge() { if [ "$1" = __complete ]; then command gpt2forge "$@"; else echo SAID "$*"; fi; }'
    lines = [line for line, _ in CASES]
    found = type_tabs(["bash", "--norc", "--noprofile", "-i"], f"source ./script; {show}", lines, cwd=here, path=path)
    assert found == [said for _, said in CASES]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_offers_all_that_fit(here: Path, path: str) -> None:
    make_script(here, "bash")
    program = """
        source ./script
        COMP_LINE="gpt2forge build nano" COMP_POINT=20
        _gpt2forge gpt2forge
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": path}
    command = ["bash", "--norc", "-c", program]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["nano-cpu", "nano-int8"]
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_completes(here: Path, path: str) -> None:
    make_script(here, "zsh")
    show = "autoload -Uz compinit; compinit -u; source ./script; preexec() { print; }"
    show += '; gpt2forge() { if [ "$1" = __complete ]; then command gpt2forge "$@"; else echo SAID "$*"; fi; }'
    found = type_tabs(["zsh", "-f", "-i"], show, [line for line, _ in CASES], cwd=here, path=path)
    assert found == [said.removesuffix("/") for _, said in CASES]  # zsh removes it before a space


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes(here: Path, path: str) -> None:
    make_script(here, "fish")
    environment = {**os.environ, "PATH": path, "HOME": str(here)}
    for line, word in (("gpt2forge build oth", "other"), ("gpt2forge build nano-cpu@int4", "nano-cpu@int4")):
        command = ["fish", "--no-config", "-c", FISH, line]
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split("\n")[0].partition("\t")[0] == word
