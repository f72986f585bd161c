"""Malicious files: each ends in one line, in little memory, and files are written only to build/ and the store."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.digest import canonical_json, digest_value
from tests.checkpoint.table_writer import make_entry, make_table
from tests.checkpoint.tiny import DATA
from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.faults.state import read_tree
from tests.workshop import UNMEASURED, Workshop, make_workshop, prepare

pytestmark = pytest.mark.slow

PEAK = 400 << 20  # bytes; four times the memory of converting a checkpoint of this size
LIMIT = 8 << 30  # bytes of address space, so that a failure does not exhaust the machine
GOOD = "name: {name}\nsource:\n  checkpoint: {checkpoint}\ntarget:\n  device: cpu\n"
INDEX, SHARD = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
PICKLE = b"cos\nsystem\n(S'touch pwned'\ntR."  # os.system("touch pwned")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return make_workshop(tmp_path / "here")


def refuse(shop: Workshop, *words: str, most: int = PEAK) -> str:
    """Run a command that must fail in one line, in little memory, without stray files; return the line."""
    before = list_outside(shop)
    build = prepare(sys.executable).run(("build", *words, *UNMEASURED), shop.folder, space=LIMIT)
    lines = [line for line in build.stderr.splitlines() if not line.startswith(("failed ", "warning: "))]
    assert build.returncode == 1, f"{words}: exit code {build.returncode}: {lines}"
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: "), lines
    peak = prepare(sys.executable).peak
    assert peak < most, f"{words}: {peak} bytes"
    assert list_outside(shop) == before, words
    return lines[0]


def list_outside(shop: Workshop) -> set[tuple[str, int, int]]:
    """List the files around and in the working directory, without those that builds may write."""
    paths = [path for path in shop.folder.parent.rglob("*") if not {"build", "cache"} & set(path.parts)]
    found = [(str(path), path.lstat()) for path in paths]
    return {(name, stat.st_mtime_ns if not stat.st_mode & 0o40000 else 0, stat.st_size) for name, stat in found}


def write(shop: Workshop, file: str, text: str | bytes) -> str:
    path = shop.folder / "mine" / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"mine/{file}"


def list_recipes() -> Mapping[str, tuple[str, str | bytes]]:
    """List malicious recipes by their attack: the file's name and its content."""
    good = GOOD.format(name="x", checkpoint="examples/nano")
    laughs = "a: &a [x, x]\n" + "".join(
        f"{one}: &{one} [*{two}, *{two}]\n" for one, two in zip("bcdefgh", "abcdefg", strict=True)
    )
    return {
        "a name that climbs": ("x.yaml", good.replace("x", "../x", 1)),
        "an absolute name": ("x.yaml", good.replace("x", "/tmp/x", 1)),
        "a name that is a folder's": ("...yaml", good.replace("x", "..", 1)),
        "extends what is no recipe": ("x.yaml", "extends: /etc/passwd\n" + good),
        "extends what climbs": ("x.yaml", "extends: ../../../../../../nothing.yaml\n" + good),
        "extends a device": ("x.yaml", "extends: /dev/zero\n" + good),
        "extends itself": ("x.yaml", "extends: x.yaml\n" + good),
        "a tag that calls": ("x.yaml", good + 'more: !!python/object/apply:os.system ["touch pwned"]\n'),
        "billion laughs": ("x.yaml", laughs + good),
        "deep nesting": ("x.yaml", good + "more: " + "[" * 100_000),
        "deep nesting by blocks": (
            "x.yaml",
            good + "more:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 400)),
        ),
        "bytes": ("x.yaml", bytes(range(256))),
    }


def test_recipes_that_mean_harm_end_in_one_line(shop: Workshop, note: Note) -> None:
    recipes = list_recipes()
    for name, text in recipes.values():
        refuse(shop, write(shop, name, text))
    for name in ("../x", "/tmp/x", "..", ".", ""):
        refuse(shop, "nano-cpu-int8", "--name", name)
    large = write(shop, "large.yaml", "")
    os.truncate(shop.folder / large, 1 << 33)
    refuse(shop, large)
    note(
        "recipes with paths that climb, tags that call code, a billion laughs, deep nesting, raw bytes, 8 GB",
        len(recipes) + 6,
        "refused with one line each; nothing was written elsewhere",
    )


def make_safetensors(header: bytes, length: int | None = None, data: bytes = bytes(64)) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def make_header(*tensors: tuple[str, list[int], int, int]) -> bytes:
    entries = [
        f'"{name}": {json.dumps({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]})}'
        for name, shape, begin, end in tensors
    ]
    return f"{{{', '.join(entries)}}}".encode()


WTE = "transformer.wte.weight"
TENSORS: Mapping[str, bytes] = {
    "a header of 2^60 bytes": make_safetensors(b"{}", 1 << 60),
    "a header of 16 MB that is not there": make_safetensors(b"{}", 1 << 24),
    "a deep header": make_safetensors(b"[" * 100_000),
    "a range that is negative": make_safetensors(make_header((WTE, [4], -8, 8))),
    "a range that runs back": make_safetensors(make_header((WTE, [4], 16, 0))),
    "a range of terabytes": make_safetensors(make_header((WTE, [1 << 40], 0, 1 << 42))),
    "ranges that overlap": make_safetensors(make_header((WTE, [4], 0, 16), ("transformer.wpe.weight", [4], 8, 24))),
    "a name that stands twice": make_safetensors(make_header((WTE, [4], 0, 16), (WTE, [4], 16, 32))),
}


def test_safetensors_that_lie_end_in_one_line(shop: Workshop, note: Note) -> None:
    write_huggingface(shop)
    for what, data in TENSORS.items():
        write(shop, "model.safetensors", data)
        message = refuse_checkpoint(shop)
        assert "mine" in message, what
        assert ("a name occurs twice" in message) == (what == "a name that stands twice")
    note(
        "safetensors with headers of 2^60 bytes, duplicate names, and ranges that are negative, overlap or leave the file",
        len(TENSORS),
        "refused with one line each; nothing was written elsewhere",
    )


def write_huggingface(shop: Workshop) -> None:
    config = {"model_type": "gpt2", "vocab_size": 260, "n_positions": 8, "n_embd": 8, "n_head": 2, "n_layer": 1}
    write(shop, "config.json", json.dumps(config))
    write(shop, "vocab.json", (DATA / "openai/encoder.json").read_bytes())
    write(shop, "merges.txt", (DATA / "openai/vocab.bpe").read_bytes())


def refuse_checkpoint(shop: Workshop, most: int = PEAK) -> str:
    return refuse(shop, write_recipe(shop), "--until", "convert", most=most)


def measure_pytorch() -> int:
    """Return the bytes that PyTorch takes by itself: as a build for CUDA, twice those of one for CPUs."""
    program = "import resource, torch; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def write_recipe(shop: Workshop) -> str:
    (shop.folder / "x.yaml").write_text(GOOD.format(name="x", checkpoint="mine"))
    return "./x.yaml"


def test_pickle_runs_nothing(shop: Workshop, note: Note) -> None:
    write_huggingface(shop)
    write(shop, "pytorch_model.bin.index.json", PICKLE)
    assert "not JSON" in refuse_checkpoint(shop)
    write(shop, "pytorch_model.bin", PICKLE)
    assert "its pickle names `os.system`" in refuse_checkpoint(shop, PEAK // 2 + measure_pytorch())
    write(shop, "model.safetensors", PICKLE)
    assert "not a safetensors file" in refuse_checkpoint(shop)
    assert not list(shop.folder.parent.rglob("pwned"))
    note("pickles that would run a program, under three file names", 3, "refused with one line; nothing ran")


def test_tensorflow_checkpoints_that_lie_end_in_one_line(shop: Workshop, note: Note) -> None:
    entries: dict[str, bytes] = {
        "terabytes": make_entry(1, (1 << 40, 4), 0, 0, 1 << 44),
        "terabytes of a shape that fits": make_entry(1, (260, 4), 0, 0, 1 << 43),
        "an offset below zero": make_entry(1, (260, 4), 0, -8, 4160),
        "an offset far away": make_entry(1, (260, 4), 0, 1 << 62, 4160),
        "bytes of another tensor": make_entry(1, (260, 4), 0, 0, 4160),
    }
    for what, entry in entries.items():
        shutil.copytree(DATA / "openai", shop.folder / "mine", dirs_exist_ok=True)
        table = dict(read_table((shop.folder / "mine" / INDEX).read_bytes())) | {b"model/wte": entry}
        write(shop, INDEX, make_table(sorted(table.items())))
        message = refuse_checkpoint(shop)
        assert "model/wte" in message or "overlap" in message, what
    shutil.copytree(DATA / "openai", shop.folder / "mine", dirs_exist_ok=True)
    data = bytearray((shop.folder / "mine" / SHARD).read_bytes())
    data[-1] ^= 1
    write(shop, SHARD, bytes(data))
    assert "checksum" in refuse_checkpoint(shop)
    note(
        "TensorFlow indexes of terabytes, wrong checksums, and offsets that are negative, far away or overlap",
        len(entries) + 1,
        "refused with one line each; nothing was written elsewhere",
    )


def doctor_manifest(names: Mapping[str, str]) -> Callable[[Path, Mapping[str, Any]], None]:
    """Return a function that makes an artifact's manifest name other paths."""

    def doctor(store: Path, made: Mapping[str, Any]) -> None:
        path = store / "artifacts" / f"{made['pack'][2]}.json"
        path.write_bytes(
            canonical_json({names.get(name, name): file for name, file in json.loads(path.read_bytes()).items()})
        )

    return doctor


def doctor_record(digest: str) -> Callable[[Path, Mapping[str, Any]], None]:
    """Return a function that makes a record, with a valid checksum, name another folder."""

    def doctor(store: Path, made: Mapping[str, Any]) -> None:
        path = store / f"records/pack/{made['pack'][1]}.json"
        body = json.loads(path.read_bytes())["record"] | {"digest": digest}
        path.write_text(json.dumps({"sha256": digest_value(body), "record": body}))

    return doctor


def nest(pattern: str) -> Callable[[Path, Mapping[str, Any]], None]:
    def doctor(store: Path, made: Mapping[str, Any]) -> None:
        for path in store.glob(pattern):
            path.write_text("[" * 100_000)

    return doctor


def test_doctored_store_leads_nowhere_else(tmp_path: Path, forge: Forge, note: Note) -> None:
    here = tmp_path / "here"
    made = forge.build(here)
    files = read_tree(here / "build/toy")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "model.onnx").write_text("mine")
    doctors = [
        *(
            doctor_manifest({"model.onnx": name})
            for name in ("../x", "/etc/passwd", "../../../../victim/model.onnx", ".")
        ),
        *(doctor_record(digest) for digest in ("../../../victim", str(victim), "../stat_cache", "", "..", "x" * 64)),
        *(nest(pattern) for pattern in ("artifacts/*.json", "records/*/*.json", "stat_cache/*/*")),
    ]
    for doctor in doctors:
        doctor(here / "cache", made)
        again = forge.build(here)
        assert {stage: each[1:] for stage, each in again.items()} == {stage: each[1:] for stage, each in made.items()}
        assert read_tree(here / "build/toy") == files
        assert read_tree(victim).keys() == {"model.onnx"}
        assert victim.stat().st_mode & 0o777 == 0o755
    note(
        "manifests and records with paths that climb or are absolute, or that nest without end",
        len(doctors),
        "made again; nothing else was touched",
    )
