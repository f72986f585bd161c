"""A bit of a disk rots: no time and no size shows it, so `store verify` is what finds it."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.disks import mount
from tests.faults.state import State, take_state
from tests.workshop import Workshop, make_workshop


def test_bit_that_rots_on_the_disk_is_found_by_verify_and_mended(
    tmp_path: Path, undisturbed: State, draw: random.Random, note: Note
) -> None:
    """The bit is flipped in the image of a file system while it is not mounted."""
    image, shop = tmp_path / "image", make_workshop(tmp_path / "here")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    if subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=False).returncode:
        pytest.skip("needs mkfs.ext4")
    with mount(shop.store, "-o", "loop", str(image)):
        (shop.store / "lost+found").rmdir()
        assert take_state(shop, "nano-cpu-int8") == undisturbed
        weights = (shop.folder / "build/nano-cpu-int8/model.onnx_data").read_bytes()
    rot(image, weights, draw)
    with mount(shop.store, "-o", "loop", str(image)):
        assert (shop.folder / "build/nano-cpu-int8/model.onnx_data").read_bytes() != weights
        check_verify_and_repair(shop)
        assert take_state(shop, "nano-cpu-int8") == undisturbed
        assert "0 damaged" in shop.run("store", "verify").stdout
    note(
        "a bit of the published weights is flipped on the disk itself, below the file system",
        1,
        "found by `store verify`; `--repair` and a build made the same bytes",
    )


def rot(image: Path, weights: bytes, draw: random.Random) -> None:
    """Flip one bit of a whole block of these weights, wherever it lies; it may lie there twice."""
    start = draw.randrange(len(weights) // 4096 - 1) * 4096
    block, data = weights[start : start + 4096], bytearray(image.read_bytes())
    place, bit = data.find(block), 1 << draw.randrange(8)
    assert place >= 0
    while place >= 0:
        data[place + 5] ^= bit
        place = data.find(block)
    image.write_bytes(data)


def check_verify_and_repair(shop: Workshop) -> None:
    assert "damaged: `" in shop.run("store", "verify", code=1).stderr
    assert "1 damaged and put aside" in shop.run("store", "verify", "--repair").stdout
