"""A rotten bit on a disk: no time and no size shows it, so only `store verify` finds it."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.disks import mount, wait_until_detached
from tests.faults.state import State, take_state
from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow


def test_bit_that_rots_on_the_disk_is_found_by_verify_and_fixed(
    tmp_path: Path, undisturbed: State, draw: random.Random, note: Note
) -> None:
    """Flip the bit in the image of a file system while it is not mounted."""
    image, shop = tmp_path / "image", make_workshop(tmp_path / "here")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    if subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=False).returncode:
        pytest.skip("needs mkfs.ext4")
    with mount(shop.store, "-o", "loop", str(image)):
        (shop.store / "lost+found").rmdir()
        assert take_state(shop, "nano-cpu-int8") == undisturbed
        weights = (shop.folder / "build/nano-cpu-int8/model.onnx_data").read_bytes()
        block = draw_block(weights, draw)
        holders = [folder for folder in (shop.store / "artifacts").iterdir() if holds(folder, block)]
    wait_until_detached(image)
    rot(image, block, draw)
    with mount(shop.store, "-o", "loop", str(image)):
        assert (shop.folder / "build/nano-cpu-int8/model.onnx_data").read_bytes() != weights
        check_verify_and_repair(shop, len(holders))
        assert take_state(shop, "nano-cpu-int8") == undisturbed
        assert "0 damaged" in shop.run("store", "verify").stdout
    note(
        "a bit of the published weights is flipped on the disk itself, below the file system",
        1,
        "found by `store verify`; `--repair` and a build made the same bytes",
    )


def draw_block(weights: bytes, draw: random.Random) -> bytes:
    """Draw a whole block of these weights that is not blank: the file system has many blank ones."""
    blocks = [weights[start : start + 4096] for start in range(0, len(weights) - 4095, 4096)]
    return draw.choice([block for block in blocks if len(set(block)) > 16])


def holds(folder: Path, block: bytes) -> bool:
    """Return whether a file holds the block. Several steps may: convert and quantize both write position embeddings."""
    return any(block in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def rot(image: Path, block: bytes, draw: random.Random) -> None:
    """Flip one bit of every copy of this block."""
    data, bit = bytearray(image.read_bytes()), 1 << draw.randrange(8)
    place = data.find(block)
    assert place >= 0
    while place >= 0:
        data[place + 5] ^= bit
        place = data.find(block)
    image.write_bytes(data)


def check_verify_and_repair(shop: Workshop, count: int) -> None:
    assert "damaged: `" in shop.run("store", "verify", code=1).stderr
    assert f"{count} damaged and put aside" in shop.run("store", "verify", "--repair").stdout
