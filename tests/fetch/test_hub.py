"""Checkpoints are fetched from a Hub on loopback, through every fault that the way to it has."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import DEFAULT
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import HubAddress, parse_address
from gpt2forge.fetch.fetched import Fetched, find_fetched
from gpt2forge.fetch.resolve import resolve
from tests.checkpoint.huggingface_writer import make_model, split_tokenizer, write_huggingface
from tests.fetch.hub_server import Hub, Repo
from tests.fetch.servers import Fault

TOKEN = "hf_secretsecretsecret"
NEEDED = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def fetch(text: str = "hf://me/tiny", progress: list[tuple[int, int]] | None = None) -> Fetched:
    address = parse_address(text)
    assert address is not None
    taken = progress if progress is not None else []
    return resolve(address).fetch(DEFAULT, lambda done, total, unit: taken.append((done, total)))


def fail(text: str = "hf://me/tiny") -> str:
    """Return the one line of an error, which never holds a token or a signed address."""
    with pytest.raises(UserError) as caught:
        fetch(text)
    line = str(caught.value)
    assert "\n" not in line and TOKEN not in line and "s3cret" not in line
    return line


def list_names(fetched: Fetched) -> list[str]:
    return sorted(path.name for path in fetched.folder.iterdir())


def test_only_the_files_of_the_conversion_are_fetched(hub: Hub, model: Path) -> None:
    pushed = {"README__md": b"#" * 9, "pytorch_model__bin": b"\x80" * 9000, "onnx/model__onnx": b"x", "a__gguf2": b"x"}
    commit = hub.repos["me/tiny"].push(model, **pushed)
    progress: list[tuple[int, int]] = []
    fetched = fetch(progress=progress)
    assert list_names(fetched) == NEEDED and fetched.commit == commit
    assert all((fetched.folder / name).read_bytes() == (model / name).read_bytes() for name in NEEDED)
    assert fetched.fetched == sum((model / name).stat().st_size for name in NEEDED)
    assert progress[-1][0] == progress[-1][1] == fetched.fetched - (model / "config.json").stat().st_size
    assert len(hub.list_paths()) == len(NEEDED) + 1  # and one question for the commit


def test_what_was_fetched_is_found_without_a_server(hub: Hub) -> None:
    address = HubAddress("me/tiny")
    with pytest.raises(UserError, match=r"^`hf://me/tiny` is not here yet; `gpt2forge build` fetches it$"):
        find_fetched(address)
    fetched = fetch()
    hub.seen.clear()
    assert find_fetched(address) == Fetched("hf://me/tiny", fetched.folder, fetched.commit)
    (fetched.folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is not here yet"):
        find_fetched(address)
    assert not hub.seen


def test_cache_is_one_that_other_programs_read(hub: Hub) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    fetched = fetch()
    path = hf_hub_download("me/tiny", "model.safetensors", local_files_only=True, cache_dir=constants.HF_HUB_CACHE)
    assert Path(path) == fetched.folder / "model.safetensors" and Path(path).is_symlink()
    (repo,) = scan_cache_dir(constants.HF_HUB_CACHE).repos
    assert [(one.commit_hash, one.refs) for one in repo.revisions] == [(fetched.commit, {"main"})]


def test_branch_is_resolved_each_time_and_only_changed_files_are_fetched(hub: Hub, model: Path) -> None:
    first = fetch()
    assert fetch().fetched == 0
    commit = hub.repos["me/tiny"].push(model, config__json=(model / "config.json").read_bytes() + b"\n")
    hub.seen.clear()
    second = fetch()
    assert (second.commit, second.folder) != (first.commit, first.folder) and second.commit == commit
    assert [path.rpartition("/")[2] for path in hub.list_paths()] == ["main", "config.json"]


def test_commit_tag_and_branch_with_a_slash_are_revisions(hub: Hub, model: Path) -> None:
    commit = hub.repos["me/tiny"].push(model, branch="a/branch", README__md=b"other")
    assert fetch("hf://me/tiny@a/branch").commit == commit
    hub.seen.clear()
    fixed = fetch(f"hf://me/tiny@{commit}")
    assert fixed.commit == commit and fixed.fetched == 0 and len(hub.seen) == 1
    assert fetch(f"hf://me/tiny@{commit}") == Fetched(fixed.address, fixed.folder, commit)
    assert len(hub.seen) == 1  # a commit that is here is not asked for


def test_shards_are_fetched_with_their_index(hub: Hub, tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "sharded", make_model(), max_shard_size="8KB")
    split_tokenizer(folder)
    shards = sorted(path.name for path in folder.glob("*.safetensors*"))
    assert len(shards) > 2
    hub.repos["me/sharded"] = Repo()
    hub.repos["me/sharded"].push(folder)
    names = list_names(fetch("hf://me/sharded"))
    assert set(shards) | {"vocab.json", "merges.txt"} <= set(names)


def test_private_repository_needs_the_token_which_goes_to_the_hub_alone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["me/tiny"].token = TOKEN
    line = fail()
    assert "there is no such repository; check the name; if it is private, set HF_TOKEN" in line
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetched = fetch()
    assert all(seen.headers["authorization"] == f"Bearer {TOKEN}" for seen in hub.seen[1:])
    assert hub.cdn.seen and not any("authorization" in seen.headers for seen in hub.cdn.seen)
    assert not any(TOKEN in path.read_text(errors="replace") for path in Path().rglob("*.json"))
    assert fetched.commit


def test_wrong_token_is_named_as_such(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert "`hf://me/tiny`: the Hub does not know the token; set HF_TOKEN" in fail()


@pytest.mark.parametrize("token", [None, TOKEN])
def test_gated_repository_leads_to_its_page(hub: Hub, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["me/tiny"] = Repo(hub.repos["me/tiny"].commits, hub.repos["me/tiny"].refs, "hf_granted", gated=True)
    hub.repos["me/other"] = Repo(token=TOKEN)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert f"accept the terms; ask for access on {hub.url}/me/tiny, then set HF_TOKEN" in fail()


@pytest.mark.parametrize(
    ("status", "headers", "problem"),
    [
        (403, {}, "the token does not allow to read it; set HF_TOKEN to a token of an account that may read it"),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, "the Hub has disabled this repository"),
        (418, {}, "the Hub answers 418; check HF_ENDPOINT and the proxy"),
    ],
)
def test_refusal_is_one_line(hub: Hub, status: int, headers: dict[str, str], problem: str) -> None:
    hub.fail("/revision/main", Fault(status, headers))
    assert fail().startswith(f"`hf://me/tiny`: {problem}")


def test_missing_repository_revision_and_checkpoint_are_told_apart(hub: Hub, model: Path) -> None:
    hub.repos["me/empty"] = Repo()
    hub.repos["me/empty"].commits["0" * 40] = {"README.md": b"", "onnx/config.json": b"{}"}
    hub.repos["me/empty"].refs["main"] = "0" * 40
    hub.repos["me/weightless"] = Repo({"1" * 40: {"config.json": b"{}"}}, {"main": "1" * 40})
    assert "`hf://me/none`: there is no such repository" in fail("hf://me/none")
    line = fail("hf://me/tiny@v9")
    assert (
        line == f"`hf://me/tiny@v9`: me/tiny has no branch, tag or commit `v9`; {hub.url}/me/tiny/tree/main lists them"
    )
    assert fail("hf://me/empty").startswith("hf://me/empty: holds no checkpoint at its root, which would be one of")
    assert fail("hf://me/weightless").startswith("hf://me/weightless: has config.json, but no ")


def test_other_models_are_refused_before_their_weights_are_fetched(hub: Hub) -> None:
    weights = {"model.safetensors": b"x" * 20_000, "tokenizer.json": b"{}"}
    config = json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}).encode()
    hub.repos["me/llama"] = Repo({"2" * 40: {"config.json": config, **weights}}, {"main": "2" * 40})
    hub.repos["me/onnx"] = Repo({"3" * 40: {"model.onnx": b"x" * 20_000}}, {"main": "3" * 40})
    assert fail("hf://me/llama").startswith("hf://me/llama/config.json: ")
    assert fail("hf://me/onnx").startswith("hf://me/onnx: holds `model.onnx`, a model that is exported to ONNX already")
    assert not hub.cdn.seen


def test_safetensors_are_taken_where_a_repository_has_other_formats_too(hub: Hub, model: Path) -> None:
    hub.repos["me/tiny"].push(model, tiny__gguf=b"GGUF" * 4000)
    assert list_names(fetch()) == NEEDED


def test_file_that_is_listed_but_missing(hub: Hub) -> None:
    hub.fail("/config.json", Fault(404, {"X-Error-Code": "EntryNotFound"}))
    assert "a file that the Hub lists is not there" in fail()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_hub_is_asked_again(hub: Hub, status: int) -> None:
    hub.fail("/revision/main", *[Fault(status, {"Retry-After": "0"})] * 2)
    hub.cdn.fail("", *[Fault(status)] * 2)
    assert list_names(fetch()) == NEEDED


def test_busy_hub_that_stays_busy_is_one_line(hub: Hub) -> None:
    hub.fail("/revision/main", *[Fault(503)] * 5)
    assert (
        fail()
        == "`hf://me/tiny`: the Hub answers 503, it has a problem; try again later; build again, which goes on from there"
    )
    hub.fail("/revision/main", Fault(429, {"Retry-After": "3600"}))
    hub.seen.clear()
    assert "the Hub answers 429, too many requests; HF_TOKEN raises the limit" in fail()
    assert len(hub.seen) == 1  # an hour is not waited for


def test_cut_connection_is_resumed_where_it_was_cut(hub: Hub, model: Path) -> None:
    size = (model / "model.safetensors").stat().st_size
    hub.cdn.fail("", Fault(cut=5000), Fault(cut=1000), Fault(cut=0))
    progress: list[tuple[int, int]] = []
    fetch(progress=progress)
    assert [seen.headers.get("range") for seen in hub.cdn.seen] == [None, "bytes=5000-", "bytes=6000-", "bytes=6000-"]
    assert progress[-1][0] == progress[-1][1] > size


def test_connection_that_is_always_cut_is_one_line_and_the_next_build_goes_on(hub: Hub, model: Path) -> None:
    size = sum((model / name).stat().st_size for name in NEEDED if name != "config.json")  # which comes first
    hub.cdn.fail("", Fault(cut=5000), *[Fault(cut=0)] * 4)
    assert "`hf://me/tiny`: the connection was cut; check the network" in fail()
    hub.cdn.seen.clear()
    fetched = fetch()
    assert [seen.headers["range"] for seen in hub.cdn.seen] == ["bytes=5000-"]
    assert (fetched.folder / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert fetched.fetched == size - 5000


def test_server_that_ignores_the_range_sends_the_whole_file(
    hub: Hub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (model / "model.safetensors").read_bytes()
    hub.cdn.fail("", Fault(cut=5000), Fault(200, body=content))
    assert (fetch().folder / "model.safetensors").read_bytes() == content


def test_wrong_digest_is_refused_and_nothing_of_it_is_kept(hub: Hub) -> None:
    hub.cdn.fail("", Fault(damage=True))
    line = fail()
    assert line.startswith("`hf://me/tiny`: model.safetensors: what arrived has another digest than the one listed")
    hub.fail("/config.json", Fault(damage=True))
    hub.seen.clear()
    shutil.rmtree(constants.HF_HUB_CACHE)
    assert "config.json: what arrived has another digest" in fail()
    assert list_names(fetch()) == NEEDED


def test_wrong_length_is_refused(hub: Hub) -> None:
    hub.cdn.fail("", Fault(longer=7))
    assert re.search(r"model.safetensors: the server sends \d+ bytes, but \d+ are listed", fail())
    assert list_names(fetch()) == NEEDED


def test_damaged_content_of_another_program_is_fetched_again(hub: Hub, model: Path) -> None:
    fetched = fetch()
    shutil.rmtree("downloads")
    path = fetched.folder / "model.safetensors"
    path.resolve().write_bytes(b"x" * path.stat().st_size)
    assert fetch().fetched == path.stat().st_size
    assert path.read_bytes() == (model / "model.safetensors").read_bytes()


def test_offline_the_recorded_commit_is_built_and_a_note_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fail() == "`hf://me/tiny`: HF_HUB_OFFLINE is set; fetch it once while online, or unset it"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    first = fetch()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.seen.clear()
    again = fetch()
    assert (again.folder, again.commit) == (first.folder, first.commit) and not hub.seen
    note = f"`hf://me/tiny`: HF_HUB_OFFLINE is set; the commit {str(first.commit)[:12]} is built, which was fetched earlier"
    assert again.notes == (note,)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.fail("/revision/main", *[Fault(500)] * 9)
    assert fetch().notes[0].startswith("`hf://me/tiny`: the Hub answers 500, it has a problem; the commit ")


def test_offline_a_commit_that_another_program_fetched_is_taken(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch()
    shutil.rmtree("downloads")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "another program put there" in fetch().notes[0]
    assert find_fetched(HubAddress("me/tiny")).folder == first.folder
    shutil.rmtree("downloads")
    (first.folder / "model.safetensors").unlink()
    assert "HF_HUB_OFFLINE is set" in fail()


def test_unreachable_hub_and_what_is_no_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fail("/revision/main", Fault(200, body=b"<html>Log in to the network</html>"))
    assert (
        fail() == f"`hf://me/tiny`: {hub.url} does not answer as the Hugging Face Hub; check HF_ENDPOINT and the proxy"
    )
    hub.fail(
        "/revision/main",
        Fault(
            200,
            body=json.dumps({"id": "me/tiny", "sha": "1" * 40, "siblings": [{"rfilename": "config.json"}]}).encode(),
        ),
    )
    assert "does not list the size and the digest of each file" in fail()
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:s3cret@127.0.0.1:9")
    assert fail().startswith("`hf://me/tiny`: http://127.0.0.1:9 cannot be reached (")
    monkeypatch.setattr(constants, "ENDPOINT", "huggingface")
    assert "is not an address; write `https://host`" in fail()


def test_full_disk_is_seen_before_anything_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(9, 9, 9))
    assert re.search(r"`hf://me/tiny` takes .* kB, but only 9 B are free; free some space$", fail())
    assert not hub.cdn.seen


def test_two_builds_at_once_fetch_each_file_once(hub: Hub) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda number: fetch(), range(2))
    assert one.folder == other.folder and 0 in (one.fetched, other.fetched)
    assert len(hub.list_paths("/config.json")) == len(hub.cdn.seen) == 1


def test_commit_is_completed_if_a_recipe_needs_more_of_it(hub: Hub) -> None:
    address = f"hf://me/tiny@{hub.repos['me/tiny'].refs['main']}"
    folder = fetch(address).folder
    (record,) = Path("downloads/hf/me--tiny").iterdir()
    written = json.loads(record.read_text())
    del written["files"]["tokenizer_config.json"]
    record.write_text(json.dumps(written))
    (folder / "tokenizer_config.json").unlink()
    hub.seen.clear()
    fetch(address)
    assert not hub.seen  # what another recipe needed is whole
    del written["files"]["tokenizer.json"]
    record.write_text(json.dumps(written))
    (folder / "tokenizer.json").unlink()
    assert list_names(fetch(address)) == NEEDED


def test_damaged_record_counts_for_nothing(hub: Hub) -> None:
    fetch()
    (record,) = Path("downloads/hf/me--tiny").iterdir()
    for text in (b"", b"[]", b'{"commit": 1}', b"\xff", b'{"commit": "x", "folder": "/", "files": {}, "time": 1.0}'):
        record.write_bytes(text)
        with pytest.raises(UserError, match="is not here yet"):
            find_fetched(HubAddress("me/tiny"))
        assert fetch().fetched == 0


def test_names_that_climb_are_left_alone(hub: Hub, model: Path, tmp_path: Path) -> None:
    more = {"../../config.json": b"{}", "..": b"", "a\\b": b"", "a\nb": b""}
    commit = hub.repos["me/tiny"].push(model)
    hub.repos["me/tiny"].commits[commit] |= more
    assert list_names(fetch()) == NEEDED
    assert {path.name for path in tmp_path.iterdir()} == {"here", "hf"}


def test_of_every_form_that_a_repository_has_safetensors_alone_are_fetched(hub: Hub, model: Path) -> None:
    """The names of openai-community/gpt2."""
    others = (
        "64-8bits.tflite",
        "64-fp16.tflite",
        "64.tflite",
        "flax_model.msgpack",
        "pytorch_model.bin",
        "rust_model.ot",
    )
    more = ("tf_model.h5", "onnx/decoder_model.onnx", ".gitattributes", "README.md")
    commit = hub.repos["me/tiny"].push(model)
    hub.repos["me/tiny"].commits[commit] |= dict.fromkeys((*others, *more), b"x" * 20_000)
    assert list_names(fetch()) == NEEDED


@pytest.mark.parametrize("is_sharded", [False, True])
def test_pickles_are_fetched_where_there_is_nothing_else(hub: Hub, tmp_path: Path, is_sharded: bool) -> None:
    folder = write_huggingface(tmp_path / "bin", make_model())
    write_pickles(folder, is_sharded)
    hub.repos["me/bin"] = Repo()
    hub.repos["me/bin"].push(folder)
    fetched = fetch("hf://me/bin")
    pickles = sorted(path.name for path in folder.glob("pytorch_model*"))
    assert [name for name in list_names(fetched) if "model" in name] == pickles
    assert find_checkpoint(fetched.folder).weights == tuple(name for name in pickles if name.endswith(".bin"))


def write_pickles(folder: Path, is_sharded: bool) -> None:
    """Turn model.safetensors into pytorch_model.bin, or two shards with their index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if not is_sharded:
        torch.save(tensors, folder / "pytorch_model.bin")
        return
    shards = {name: f"pytorch_model-0000{1 + number % 2}-of-00002.bin" for number, name in enumerate(tensors)}
    for shard in set(shards.values()):
        torch.save({name: tensors[name] for name in tensors if shards[name] == shard}, folder / shard)
    index = {"metadata": {}, "weight_map": shards}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_chat_templates_in_a_folder_of_their_own_are_fetched(hub: Hub, model: Path) -> None:
    names = ("additional_chat_templates/tools__jinja", "additional_chat_templates/deep/x__jinja", "other/y__jinja")
    hub.repos["me/tiny"].push(model, **dict.fromkeys(names, b"{{ 1 }}"))
    fetched = fetch()
    assert list_names(fetched) == sorted([*NEEDED, "additional_chat_templates"])
    place = fetched.folder / "additional_chat_templates"
    assert [path.name for path in place.iterdir()] == ["tools.jinja"] and (
        place / "tools.jinja"
    ).read_bytes() == b"{{ 1 }}"
