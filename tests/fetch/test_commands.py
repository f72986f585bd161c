"""Commands on recipes whose checkpoint is an address; the servers are real ones on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_program import listen
from tests.fetch.hub_server import Hub
from tests.fetch.servers import Fault, Folder
from tests.workshop import Workshop

RECIPE = """\
name: tiny
source:
  checkpoint: {}
target:
  device: cpu
fusion: {{attention: false}}
quantization:
  scheme: none
"""
PLACE = "recipes/tiny.yaml:3:3"


@pytest.fixture
def shop(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    (here / "recipes").mkdir()
    return Workshop(here)


@pytest.fixture
def hub_shop(shop: Workshop, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    write_recipe(shop, "hf://me/tiny")
    return shop


def write_recipe(shop: Workshop, checkpoint: str) -> None:
    (shop.folder / "recipes/tiny.yaml").write_text(RECIPE.format(checkpoint))


def copy_recipe(shop: Workshop, name: str, checkpoint: str) -> None:
    """Write the same recipe under another name."""
    text = RECIPE.format(checkpoint).replace("name: tiny", f"name: {name}")
    (shop.folder / f"recipes/{name}.yaml").write_text(text)


def test_queries_fetch_nothing_and_say_so(hub_shop: Workshop, hub: Hub) -> None:
    copy_recipe(hub_shop, "other", "hf://me/tiny")
    for words in (("plan", "tiny"), ("why", "tiny"), ("diff", "tiny", "other")):
        done = hub_shop.run(*words, code=1)
        assert done.stderr == f"error: {PLACE}: `hf://me/tiny` is not here yet; `gpt2forge build` fetches it\n"
    assert not hub.seen and sorted(path.name for path in hub_shop.folder.iterdir()) == ["recipes"]


def test_build_fetches_then_queries_need_no_server(hub_shop: Workshop, hub: Hub) -> None:
    commit = hub.repos["me/tiny"].refs["main"]
    done = hub_shop.run("build", "tiny", "--until", "convert")
    assert done.stderr.startswith("fetched hf://me/tiny: ") and f" kB, commit {commit}\n" in done.stderr
    hub.seen.clear()
    assert hub_shop.run("plan", "tiny").stdout.split()[:2] == ["done", "convert"]
    assert not hub.seen
    again = hub_shop.run("build", "tiny", "--until", "convert")
    assert "fetched" not in again.stderr and len(hub.seen) == 1
    events = [
        json.loads(line) for line in hub_shop.run("build", "tiny", "--until", "convert", "--json").stdout.splitlines()
    ]
    assert events[-1]["report"]["source"] == {"address": "hf://me/tiny", "commit": commit}


def test_offline_build_warns_which_commit_it_is(hub_shop: Workshop, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_shop.run("build", "tiny", "--until", "convert")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    commit = hub.repos["me/tiny"].refs["main"]
    done = hub_shop.run("build", "tiny", "--until", "convert")
    note = f"`hf://me/tiny`: HF_HUB_OFFLINE is set; the commit {commit[:12]} is built, which was fetched earlier"
    assert f"warning: recipes/tiny.yaml:3:3: {note}\n" in done.stderr


def test_fault_has_its_place_in_the_recipe_and_other_recipes_go_on(hub_shop: Workshop, hub: Hub) -> None:
    copy_recipe(hub_shop, "none", "hf://me/none")
    done = hub_shop.run("build", "none", "tiny", "--keep-going", "--until", "convert", code=1)
    assert "error: recipes/none.yaml:3:3: `hf://me/none`: there is no such repository; " in done.stderr
    assert "1 of 2 recipes failed: `none`" in done.stderr


def test_recipes_of_one_run_build_one_commit(hub_shop: Workshop, hub: Hub) -> None:
    copy_recipe(hub_shop, "other", "hf://me/tiny")
    hub_shop.run("build", "tiny", "other", "--until", "convert")
    assert len(hub.list_paths("/revision/main")) == 1


@pytest.mark.slow
def test_lock_holds_the_commit_and_another_one_is_refused_before_it_is_fetched(
    hub_shop: Workshop, hub: Hub, model: Path
) -> None:
    commit = hub.repos["me/tiny"].refs["main"]
    hub_shop.run("build", "tiny", "--write-lock")
    lock = (hub_shop.folder / "recipes/tiny.lock").read_text()
    assert lock.startswith(f"commit hf://me/tiny {commit}\nconvert ")
    hub_shop.run("build", "tiny", "--locked")
    assert read_source(hub_shop) == {"address": "hf://me/tiny", "commit": commit}
    moved = hub.repos["me/tiny"].push(model, README__md=b"new")  # the files of the conversion are the same
    hub.seen.clear()
    done = hub_shop.run("build", "tiny", "--locked", code=1)
    change = f"`hf://me/tiny` is the commit {moved[:12]}.. now, but {commit[:12]}.. is locked"
    assert done.stderr == f"error: recipes/tiny.lock:1:1: {change}; if this is intended, build with `--write-lock`\n"
    assert len(hub.seen) == 1
    hub_shop.run("build", "tiny")  # every step is reused, and the report names the new commit
    assert read_source(hub_shop) == {"address": "hf://me/tiny", "commit": moved}
    write_recipe(hub_shop, f"hf://me/tiny@{commit}")
    assert f"`hf://me/tiny@{commit}` is not locked; " in hub_shop.run("build", "tiny", "--locked", code=1).stderr


def read_source(shop: Workshop) -> dict[str, str]:
    source: dict[str, str] = json.loads((shop.folder / "build/tiny.json").read_text())["source"]
    return source


@pytest.mark.slow
def test_only_a_commit_is_answered_from_a_stamp(hub_shop: Workshop, hub: Hub) -> None:
    hub_shop.run("build", "tiny", measured=True)
    hub.seen.clear()
    assert "current" not in hub_shop.run("build", "tiny", measured=True).stderr
    assert len(hub.seen) == 1  # the branch might have moved
    write_recipe(hub_shop, f"hf://me/tiny@{hub.repos['me/tiny'].refs['main']}")
    hub_shop.run("build", "tiny", measured=True)
    hub.seen.clear()
    assert hub_shop.run("build", "tiny", measured=True).stderr == "current tiny: nothing changed since it was built\n"
    assert not hub.seen


@pytest.mark.parametrize("kind", ["hf", "openai"])
def test_interrupted_download_ends_with_130_and_the_next_build_resumes(
    kind: str,
    hub_shop: Workshop,
    hub: Hub,
    openai: Folder,
) -> None:
    server, name = (hub.cdn, "") if kind == "hf" else (openai, "model.ckpt.data-00000-of-00001")
    write_recipe(hub_shop, "hf://me/tiny" if kind == "hf" else "openai://124M")
    server.fail(name, *[Fault()] * (kind == "openai"), Fault(stall=5000))
    command = [sys.executable, "-m", "gpt2forge", "build", "tiny", "--until", "convert"]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command,
        cwd=hub_shop.folder,
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen,
    ) as process:
        assert server.stalled.wait(300)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None and process.stderr.read().endswith("interrupted; finished steps are kept\n")
    assert process.returncode == 130
    server.seen.clear()
    hub_shop.run("build", "tiny", "--until", "convert")
    ranges = [seen.headers.get("range") for seen in server.seen if seen.path.endswith(name) and seen.method == "GET"]
    assert ranges == ["bytes=5000-"]


def test_openai_model_is_fetched_beside_the_store(shop: Workshop, openai: Folder) -> None:
    write_recipe(shop, "openai://124M")
    assert "is not here yet; `gpt2forge build` fetches it, about 0.5 GB" in shop.run("plan", "tiny", code=1).stderr
    done = shop.run("build", "tiny", "--until", "convert")
    assert done.stderr.startswith("fetched openai://124M: 5.6 MB\n")
    assert sorted(path.name for path in shop.folder.iterdir()) == ["cache", "downloads", "recipes"]


def test_path_that_is_a_repository_suggests_its_address(shop: Workshop) -> None:
    write_recipe(shop, "openai-community/gpt2")
    line = shop.run("build", "tiny", code=1).stderr
    fix = "to fetch it, write `hf://openai-community/gpt2`"
    assert line == f"error: {PLACE}: no checkpoint at `openai-community/gpt2`; {fix}\n"


def test_missing_huggingface_hub_is_one_line(shop: Workshop) -> None:
    (shop.folder / "huggingface_hub.py").write_text("raise ModuleNotFoundError(name='huggingface_hub')")
    write_recipe(shop, "hf://me/tiny")
    line = shop.run("build", "tiny", code=1).stderr
    fix = "`hf://me/tiny` needs huggingface_hub 2; install it: pip install 'gpt2forge[hub]'"
    assert line == f"error: {PLACE}: {fix}\n"


@pytest.mark.slow
def test_check_fetches_and_compare_asks_no_server(hub_shop: Workshop, hub: Hub) -> None:
    assert "fetched hf://me/tiny: " in hub_shop.run("check", "tiny").stderr
    copy_recipe(hub_shop, "other", "hf://me/tiny")
    hub_shop.run("build", "tiny", "other", measured=True)
    hub.seen.clear()
    hub_shop.run("compare", "tiny", "other")
    assert not hub.seen
