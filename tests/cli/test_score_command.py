"""`gpt2forge score` with a built recipe."""

import json
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop

pytestmark = pytest.mark.slow

HELDOUT = str(ROOT / "examples/nano/heldout.txt")


def test_perplexity_is_that_of_verify(measured: Workshop) -> None:
    """The windows are the same: the first 2048 tokens of the held-out text, in windows of the context."""
    accuracy = json.loads((measured.folder / "build/nano-cpu-int8-proven.json").read_text())["verify"]
    found = json.loads(measured.run("score", "nano-cpu-int8-proven", HELDOUT, "--tokens", "2048", "--json").stdout)
    assert found["perplexity"] == pytest.approx(accuracy["perplexity"], rel=1e-6)
    assert (found["tokens"], found["scored"]) == (2048, accuracy["positions"])
    assert (found["window"], found["stride"]) == (256, 256)


def test_shorter_stride_gives_more_context(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    text = tmp_path / "text.txt"
    text.write_text(Path(HELDOUT).read_text()[:3000])
    found = [
        json.loads(workshop.run("score", "nano-cpu-int8", str(text), "--json", *words).stdout)
        for words in ((), ("--stride", "64"))
    ]
    assert found[1]["perplexity"] < found[0]["perplexity"]
    assert found[1]["scored"] == found[1]["tokens"] - 1 > found[0]["scored"]
    written = workshop.run("score", "nano-cpu-int8", "-", stdin=text.read_text()).stdout
    assert written.startswith(f"perplexity {found[0]['perplexity']:.4f}\n")
    assert written.count("\n") == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("none.txt",), "none.txt: No such file or directory"),
        (("/dev/zero",), "/dev/zero: a pipe, a device or a socket, not a file; name a file of text, or `-`"),
        (("-",), "standard input: a text of 0 tokens cannot be scored"),
        (("bytes",), "bytes: is not UTF-8 text at byte 1; convert it first"),
        ((HELDOUT, "--stride", "300"), "the stride is 300; it must be from 1 to this model's context of 256"),
    ],
)
def test_what_cannot_be_scored_is_one_line(workshop: Workshop, words: tuple[str, ...], error: str) -> None:
    workshop.build("nano-cpu-int8")
    (workshop.folder / "bytes").write_bytes(b"a\xff")
    done = workshop.run("score", "nano-cpu-int8", *words, code=1)
    assert error in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
