"""`make fuzz`: damages checkpoints at random and reads them, guided by the lines that each damage reaches.

    python -m tests.checkpoint.fuzz_readers --inputs 1000000 --seed 1

1. A round damages one file of a sample checkpoint, describes the checkpoint, and reads all its weights.
2. A damage that reaches lines of gpt2forge/checkpoint that no earlier one reached is kept, to be damaged further.
3. A round fails if it ends in anything but a result or a UserError of one line, takes longer than SECONDS, or lets the
   process grow by more than MEMORY.
"""

import argparse
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint
from gpt2forge.checkpoint.describe import describe_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.errors import UserError
from tests.checkpoint.gguf_writer import write_gguf
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface
from tests.checkpoint.nanogpt_writer import NanoGPT, write_nanogpt
from tests.checkpoint.tiny import DATA

SECONDS = 5
MEMORY = 256 << 20  # bytes; the samples have some tens of kilobytes
READERS = str(Path(sys.modules["gpt2forge.checkpoint.detect"].__file__ or "").parent)
COPIED = ("openai", "run1", "partitioned", "scoped", "tf2_run", "tf2_weights", "flax", "tf2")
WITHOUT_TOKENIZER = ("flax", "tf2")
NUMBERS = (0, 1, 7, 8, 127, 128, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"[]",
    b"{}",
    b'""',
    b"NaN",
    b"9" * 40,
    b"\\ud800",
    b"[" * 2000,
    b"\xff\xfe",
)


@dataclass
class Sample:
    """A checkpoint to damage; `kept` are the damaged contents of each file that reached something new."""

    folder: Path
    kept: dict[str, list[bytes]]


@dataclass
class Coverage:
    """The lines of the readers that were reached."""

    seen: set[tuple[str, int]] = field(default_factory=set)
    new: int = 0

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(READERS):
            return None
        if event == "line":
            place = frame.f_code.co_filename, frame.f_lineno
            if place not in self.seen:
                self.seen.add(place)
                self.new += 1
        return self.trace


def make_samples(root: Path) -> list[Sample]:
    """Write a sample of every format."""
    for name in COPIED:
        shutil.copytree(DATA / name, root / name)
    for name in WITHOUT_TOKENIZER:
        make_tokenizer().save_pretrained(root / name)
    write_huggingface(root / "safetensors", make_model())
    write_huggingface(root / "shards", make_model(), max_shard_size="5KB")
    write_huggingface(root / "bin", make_model())
    write_bin(root / "bin")
    (root / "gguf").mkdir()
    write_gguf(root / "safetensors", root / "gguf" / "model.gguf")
    write_nanogpt(root / "nanogpt", NanoGPT())
    make_tokenizer().save_pretrained(root / "nanogpt")
    samples = []
    for folder in sorted(root.iterdir()):
        files = find_checkpoint(folder).files
        samples.append(Sample(folder, {name: [(folder / name).read_bytes()] for name in files}))
    return samples


def write_bin(folder: Path) -> None:
    """Write pytorch_model.bin in place of model.safetensors."""
    import torch

    (folder / "model.safetensors").unlink()
    torch.save(make_model().state_dict(), folder / "pytorch_model.bin")


def damage(content: bytes, draw: random.Random) -> bytes:
    """Change a content in one to four places."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(changed) + 1)
        kind = draw.randrange(7)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at : at + 1] = bytes([draw.randrange(256)])
        elif kind == 2:
            size = draw.choice((1, 2, 4, 8))
            value = draw.choice(NUMBERS) & ((1 << 8 * size) - 1)
            changed[at : at + size] = value.to_bytes(size, draw.choice(("little", "big")))
        elif kind == 3:
            del changed[at : at + draw.randint(1, 64)]
        elif kind == 4:
            start = draw.randrange(len(changed) + 1)
            changed[at:at] = changed[start : start + draw.randint(1, 64)]
        elif kind == 5:
            word = draw.choice(WORDS)
            changed[at : at + draw.choice((0, len(word)))] = word
        else:
            changed[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 8)))
    return bytes(changed)


def read_all(folder: Path) -> None:
    """Describe a checkpoint and read all its weights; a UserError of one line is a result too."""
    try:
        describe_checkpoint(folder)
        _, contents = read_checkpoint(find_checkpoint(folder))
        for tensor in contents.tensors:
            for _ in read_pieces(tensor):
                pass
    except UserError as error:
        if not str(error) or "\n" in str(error) or not str(error).isprintable():
            raise AssertionError(f"not one printable line: {error!r}") from error


@contextmanager
def limit_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def find_largest_memory() -> int:
    """Return the most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fuzz(inputs: int, seed: int, report: Callable[[int, int], None] = lambda done, lines: None) -> list[str]:
    """Run the rounds; return a description of each that failed, with the traceback."""
    draw, coverage, failures = random.Random(seed), Coverage(), []
    with tempfile.TemporaryDirectory() as place:
        samples = make_samples(Path(place))
        for done in range(inputs):
            sample = draw.choice(samples)
            name = draw.choice(list(sample.kept))
            content = damage(draw.choice(sample.kept[name]), draw)
            why = try_one(sample.folder, name, content, coverage)
            if why:
                failures.append(f"input {done}, {sample.folder.name}/{name}: {why}")
            elif coverage.new:
                sample.kept[name].append(content)
            report(done + 1, len(coverage.seen))
    return failures


def try_one(folder: Path, name: str, content: bytes, coverage: Coverage) -> str:
    """Read a checkpoint with one file damaged; return what went wrong, empty if nothing did."""
    path, before, coverage.new = folder / name, find_largest_memory(), 0
    right = path.read_bytes()
    path.write_bytes(content)
    sys.settrace(coverage.trace)
    try:
        with limit_time():
            read_all(folder)
    except KeyboardInterrupt:
        raise
    except BaseException:  # tokenizers raises a PanicException, which is no Exception
        return traceback.format_exc()
    finally:
        sys.settrace(None)
        path.write_bytes(right)
    grown = find_largest_memory() - before
    return f"grew by {grown} bytes" if grown > MEMORY else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = last = time.monotonic()

    def report(done: int, lines: int) -> None:
        nonlocal last
        if time.monotonic() - last > 10 or done == options.inputs:
            last = time.monotonic()
            print(f"{done} inputs, {done / (last - began):.0f} a second, {lines} lines reached", flush=True)

    failures = fuzz(options.inputs, options.seed, report)
    print("\n\n".join(failures[:20]))
    print(f"{len(failures)} of {options.inputs} inputs failed, seed {options.seed}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
