"""Input that could hang a command, fill the memory, reach the terminal or end in a traceback: each is one line."""

import json
import os
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.machine_lock import open_lock
from gpt2forge.stamp import Present, read_stamp
from tests.cli.fuzz_commands import fuzz
from tests.faults.conftest import Note
from tests.workshop import ROOT, Workshop, make_workshop

HEAD = "name: x\nextends: base/cpu.yaml\nsource: {checkpoint: examples/nano}\n"
UNMEASURED = "verify: null\nbenchmark: null\n"
ESCAPE = r"\e]0;title\a\e[31m"
HOSTILE = {
    "an unknown key": f'"key{ESCAPE}": 1\n',
    "a value": f'quantization: {{scheme: "in{ESCAPE}t8"}}\n',
    "a text's path": f'verify: {{text: "t{ESCAPE}"}}\n',
    "a pattern": f'{UNMEASURED}quantization: {{scheme: int4, overrides: {{"h{ESCAPE}": {{bits: 8}}}}}}\n',
    "a variant": f'matrix: {{"v{ESCAPE}": {{}}}}\n',
    "a line end": 'verify: {text: "a\\nerror: all is well"}\n',
    "a surrogate": 'verify: {text: "a\\ud800"}\n',
    "a direction": 'verify: {text: "a\\u202eb"}\n',
}
LARGE = {
    "a list": "x: [" + "a," * 500_000 + "a]\n",
    "brackets": "x: " + "[" * 900_000,
    "keys": "".join(f"k{number}: 1\n" for number in range(90_000)),
    "variants": "matrix:\n" + "".join(f"  v{number}: {{}}\n" for number in range(60_000)),
    "question marks": "? " * 500_000,
    "digits": "x: " + "1" * 1_000_000,
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Make a folder with recipes of its own and a link to the example."""
    shop = make_workshop(tmp_path / "here")
    (shop.folder / "recipes").unlink()
    (shop.folder / "recipes/base").mkdir(parents=True)
    (shop.folder / "recipes/base/cpu.yaml").write_bytes((ROOT / "recipes/base/cpu.yaml").read_bytes())
    return shop


def write(shop: Workshop, more: str) -> None:
    (shop.folder / "recipes/x.yaml").write_text(HEAD + more)


def refuse(shop: Workshop, *words: str) -> str:
    """Run a command that must end in one printable line; return the line."""
    done = shop.run(*words, code=1)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].isprintable(), lines
    assert lines[0].startswith("error: "), lines
    assert done.stdout == ""
    return lines[0]


def test_pointer_of_blank_lines_is_read_once(shop: Workshop, note: Note) -> None:
    folder = shop.folder / "checkpoint"
    folder.mkdir()
    for path in (ROOT / "examples/nano").iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "checkpoint").unlink()
    (folder / "checkpoint").write_bytes(b"\n" * 1_000_000)
    assert "has no line `model_checkpoint_path" in refuse(shop, "inspect", "checkpoint")
    note(
        "a TensorFlow file `checkpoint` of a million blank lines",
        1,
        "refused with one line, in time linear in its size",
    )


def test_text_of_terabytes_is_read_as_far_as_its_tokens_need(shop: Workshop, note: Note) -> None:
    with (shop.folder / "text").open("wb") as file:
        file.write(b"def f(x):\n" * 100_000)
        file.truncate(1 << 42)
    write(shop, "verify: {text: text}\nbenchmark: null\n")
    assert "steps will run" in shop.run("plan", "x").stderr
    note("a text of 4 TB for `verify`", 1, "read and hashed as far as its tokens need")


def test_recipes_of_a_megabyte_are_not_parsed(shop: Workshop, note: Note) -> None:
    for more in LARGE.values():
        write(shop, more)
        assert "cannot be read: larger than 65536 bytes" in refuse(shop, "plan", "x")
    many = ".".join("a" * 5000) + "=1"
    write(shop, UNMEASURED)
    assert "5000 keys in a row" in refuse(shop, "plan", "x", "--name", "y", "--set", many)
    write(shop, UNMEASURED + f"quantization: {{scheme: int4, skip: [{'h,' * 1001}]}}\n")
    assert "has 1001 patterns; at most 1000 are read" in refuse(shop, "plan", "x")
    write(shop, "".join(f"k{number}: 1\n" for number in range(5000)))
    lines = shop.run("plan", "x", code=1).stderr.splitlines()
    assert len(lines) == 101
    assert lines[-1] == "error: there are 4900 more faults; correct these first"
    note(
        "recipes of a megabyte, 5000 unknown keys, a `--set` of 5000 keys, 1001 patterns",
        len(LARGE) + 3,
        "refused in at most 101 lines",
    )


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


READERS: dict[str, tuple[str, ...]] = {
    "recipes/x.yaml": ("plan", "x*"),
    "recipes/base/cpu.yaml": ("plan", "x"),
    "text": ("plan", "x"),
    "gpt2forge.yaml": ("build", "x"),
    "recipes/x.lock": ("build", "x", "--locked"),
}
"""Files with a command that reads them."""


def test_pipes_and_devices_are_no_files(shop: Workshop, note: Note) -> None:
    write(shop, "verify: {text: text}\nbenchmark: null\n")
    (shop.folder / "text").write_text("def f(x):\n" * 100)
    for make in (os.mkfifo, make_device):
        for place, words in READERS.items():
            path = shop.folder / place
            before = path.read_bytes() if path.is_file() else None
            path.unlink(missing_ok=True)
            make(path)
            assert path.stem in refuse(shop, *words)
            path.unlink()
            if before is not None:
                path.write_bytes(before)
        make(shop.folder / "recipes/y.yaml")
        assert "`recipes/y.yaml` is no file" in refuse(shop, "plan", "y")
        (shop.folder / "recipes/y.yaml").unlink()
        for name in ("stamp", "lock"):
            make(shop.folder / name)
        assert read_stamp(str(shop.folder / "stamp"), ("x",), Present()) is None
        with pytest.raises(UserError, match="remove it"):
            open_lock(shop.folder / "lock")
        for name in ("stamp", "lock"):
            (shop.folder / name).unlink()
    result = "refused with one line, at once; a stamp counts for nothing"
    note("a pipe or /dev/zero as recipe, parent, settings, lock, text, stamp or lock of the machine", 16, result)


def test_names_reach_no_terminal_as_they_are(shop: Workshop, note: Note) -> None:
    for more in HOSTILE.values():
        write(shop, more)
        done = shop.start("plan", "x")
        assert (done.stdout + done.stderr).replace("\n", "").isprintable(), done
        assert "\nerror: all is well" not in done.stderr
    for word in ("x\x1b[31m", "x\x1b[31m.yaml", "a\nerror: b", "[red]x[/red]", ":smile:"):
        line = refuse(shop, "plan", word)
        assert "smile" not in word or ":smile:" in line
    write(shop, "")
    refuse(shop, "plan", "x", "--set", "quantization.sch\x1b[31m=1")
    note(
        "control characters, line ends and rich's markup in recipes, names and options",
        len(HOSTILE) + 6,
        "shown as escapes",
    )


def test_damaged_forge_json_is_one_line(shop: Workshop, note: Note) -> None:
    texts = ['{"tensors": [{"name": "w"}]}', '{"tensors": 1}', '{"a": NaN}', '{"a": 1e999}', "[]", "{", "[" * 100_000]
    (shop.folder / "copy").mkdir()
    for text in texts:
        (shop.folder / "copy/forge.json").write_text(text)
        assert "copy/forge.json" in refuse(shop, "inspect", "copy")
    note("a package's forge.json that is damaged or no JSON", len(texts), "refused with one line")


def test_name_in_forge_json_is_escaped(shop: Workshop, note: Note) -> None:
    tensor = {
        "name": "wte\x1b[31m.weight",
        "bits": 8,
        "block": 128,
        "bytes": 10,
        "bits_per_weight": 8.25,
        "error": 0.01,
    }
    (shop.folder / "copy").mkdir()
    (shop.folder / "copy/forge.json").write_text(json.dumps({"tensors": [tensor]}))
    assert shop.run("inspect", "copy").stdout.replace("\n", "").isprintable()
    del tensor["block"]
    (shop.folder / "copy/forge.json").write_text(json.dumps({"tensors": [tensor]}))
    assert "int8" in shop.run("inspect", "copy").stdout
    note("a tensor's name in a package that sets a terminal's colour", 1, "shown as an escape")


def test_commands_end_well_whatever_they_find(built_once: Workshop, tmp_path: Path, note: Note) -> None:
    assert fuzz(range(6), 1, tmp_path, built_once) == []
    note(
        "commands drawn at random, with files in odd states and odd environments (5000 by `make fuzz-commands`)",
        6,
        "exit code 0, 1 or 2; one line; no traceback",
    )
