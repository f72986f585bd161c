"""OpenAI's files are fetched from a server on loopback, through every fault that the way to it has."""

from pathlib import Path

import pytest

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import DEFAULT
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import OpenaiAddress
from gpt2forge.fetch.fetched import OPENAI_FILES, Fetched, find_fetched
from gpt2forge.fetch.resolve import resolve
from tests.fetch.servers import Fault, Folder
from tests.workshop import ROOT

ADDRESS = OpenaiAddress("124M")
WEIGHTS = "model.ckpt.data-00000-of-00001"
NANO = ROOT / "examples/nano"
AGAIN = "build again, which goes on from there"


def fetch(progress: list[tuple[int, int]] | None = None) -> Fetched:
    taken = progress if progress is not None else []
    return resolve(ADDRESS).fetch(DEFAULT, lambda done, total, unit: taken.append((done, total)))


def fail() -> str:
    with pytest.raises(UserError) as caught:
        fetch()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def list_ranges(server: Folder) -> list[str | None]:
    return [seen.headers.get("range") for seen in server.seen if seen.method == "GET" and seen.path.endswith(WEIGHTS)]


def test_all_files_are_fetched_once(openai: Folder) -> None:
    with pytest.raises(
        UserError, match=r"^`openai://124M` is not here yet; `gpt2forge build` fetches it, about 0.5 GB$"
    ):
        find_fetched(ADDRESS)
    progress: list[tuple[int, int]] = []
    fetched = fetch(progress)
    assert fetched.folder == Path("downloads/openai/124M") and fetched.commit is None
    assert sorted(path.name for path in fetched.folder.iterdir()) == sorted(OPENAI_FILES)
    assert all((fetched.folder / name).read_bytes() == (NANO / name).read_bytes() for name in OPENAI_FILES)
    assert find_checkpoint(fetched.folder).format.name == "tf1"
    assert progress[-1] == (fetched.fetched, fetched.fetched)
    openai.seen.clear()
    assert fetch() == find_fetched(ADDRESS) == Fetched("openai://124M", fetched.folder) and not openai.seen


def test_cut_connection_is_resumed(openai: Folder) -> None:
    openai.fail(WEIGHTS, Fault(), Fault(cut=1 << 20), Fault(503, {"Retry-After": "0"}), Fault(cut=0))
    fetched = fetch()
    assert list_ranges(openai) == [None, *["bytes=1048576-"] * 3]
    assert (fetched.folder / WEIGHTS).read_bytes() == (NANO / WEIGHTS).read_bytes()


def test_connection_that_is_always_cut_is_one_line_and_the_next_build_goes_on(openai: Folder) -> None:
    openai.fail(WEIGHTS, Fault(), Fault(cut=1 << 20), *[Fault(cut=0)] * 4)
    size = (NANO / WEIGHTS).stat().st_size
    line = f"{openai.url}/124M/{WEIGHTS}: the connection was cut after 1048576 of {size} bytes; {AGAIN}"
    assert fail() == line
    assert not (Path("downloads/openai/124M") / WEIGHTS).exists()
    openai.seen.clear()
    assert fetch().fetched == sum((NANO / name).stat().st_size for name in OPENAI_FILES) - (1 << 20)
    assert list_ranges(openai) == ["bytes=1048576-"]


def test_wrong_length_is_refused(openai: Folder) -> None:
    openai.fail(WEIGHTS, Fault(), Fault(longer=5))
    assert "the server sends 5401605 bytes, but 5401600 are listed" in fail()
    assert fetch().fetched


def test_damaged_weights_are_found_when_they_are_converted(openai: Folder, tmp_path: Path) -> None:
    from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint

    openai.fail(WEIGHTS, Fault(), Fault(damage=True))
    with pytest.raises(UserError, match=r"model.ckpt.data-00000-of-00001: the checksum of"):
        convert_checkpoint(fetch().folder, tmp_path)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusal_is_one_line(openai: Folder, status: int) -> None:
    openai.fail("/hparams.json", Fault(status))
    fix = "check GPT2FORGE_OPENAI_URL, or put OpenAI's files in a folder and name that"
    assert fail() == f"{openai.url}/124M/hparams.json: the server answers {status}; {fix}"


def test_busy_server_that_stays_busy_is_one_line(openai: Folder) -> None:
    openai.fail("/checkpoint", *[Fault(503)] * 5)
    assert fail() == f"{openai.url}/124M/checkpoint: the server answers 503; try again later; {AGAIN}"
    openai.fail("/checkpoint", Fault(429, {"Retry-After": "100"}))
    openai.seen.clear()
    assert "the server answers 429" in fail() and len(openai.seen) == 1


def test_unreachable_server_and_wrong_address(openai: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2FORGE_OPENAI_URL", "http://127.0.0.1:9/models/")
    line = fail()
    assert line.startswith("http://127.0.0.1:9/models/124M/checkpoint: cannot be reached (")
    assert line.endswith(f"); check the network or GPT2FORGE_OPENAI_URL; {AGAIN}")
    for wrong in ("file:///etc", "https://me:s3cret@host/x", "models", "https://host/?sig=s3cret"):
        monkeypatch.setenv("GPT2FORGE_OPENAI_URL", wrong)
        assert fail().startswith("GPT2FORGE_OPENAI_URL: is not an address as in `https://openaipublic.")
        assert "s3cret" not in fail()
