"""`gpt2forge build`, `store push` and `store pull` with a remote level, on the example."""

import json
from pathlib import Path

import pytest

from gpt2forge.cli import program
from tests.remote.team import PUBLIC, SECRET
from tests.workshop import Workshop, copy_workshop, make_workshop

pytestmark = pytest.mark.slow

RECIPE = "name: quiet\nextends: recipes/nano-cpu-int8.yaml\nverify: null\nbenchmark: null\n"
SETTINGS = f"store:\n  remote: [../level]\n  trusted: ['{PUBLIC}']\n"


class Team:
    """Two working directories, and a folder that both have as a level."""

    def __init__(self, folder: Path, built: Workshop, patch: pytest.MonkeyPatch) -> None:
        self.level = folder / "level"
        self.level.mkdir()
        self.first, self.second = copy_workshop(built, folder / "first"), make_workshop(folder / "second")
        for shop in (self.first, self.second):
            (shop.folder / "quiet.yaml").write_text(RECIPE)
            (shop.folder / "gpt2forge.yaml").write_text(SETTINGS)
        self.patch = patch
        patch.delenv("GPT2FORGE_REMOTE", raising=False)
        patch.setenv("GPT2FORGE_KEY", SECRET)

    def run(self, shop: Workshop, *words: str) -> int:
        self.patch.chdir(shop.folder)
        return program.run(list(words))


@pytest.fixture
def team(tmp_path: Path, built_once: Workshop, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(tmp_path, built_once, monkeypatch)


def test_what_one_builds_the_other_pulls(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    assert team.run(team.first, "build", "quiet.yaml") == program.FINE
    assert "pushed 4 steps to ../level" in capfd.readouterr().err
    team.patch.delenv("GPT2FORGE_KEY")
    assert team.run(team.second, "build", "quiet.yaml", "--json") == program.FINE
    said = capfd.readouterr()
    steps = json.loads(said.out.splitlines()[-1])["report"]["steps"]
    assert [(step["stage"], step["outcome"], step["reason"]) for step in steps] == [
        ("convert", "reused", ""),
        ("export", "reused", ""),
        ("fuse", "reused", ""),
        ("quantize", "reused", "pulled from ../level"),
    ]
    assert "warning" not in said.err
    (artifact,) = [path for path in (team.second.store / "artifacts").iterdir() if path.is_dir()]
    assert (team.second.folder / "build/quiet").resolve() == artifact
    # Nothing is asked any more.
    team.level.rename(team.level.with_name("away"))
    for words in (("build", "quiet.yaml"), ("build", "quiet.yaml", "--keep-going"), ("plan", "quiet.yaml")):
        assert team.run(team.second, *words) == program.FINE
        assert "warning" not in capfd.readouterr().err


def test_nothing_is_pushed_without_verify(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    assert team.run(team.first, "build", "nano-cpu-int8", "--skip", "verify,benchmark") == program.FINE
    assert list(team.level.iterdir()) == []
    capfd.readouterr()
    assert team.run(team.first, "store", "push", "nano-cpu-int8") == program.USER_ERROR
    assert "`nano-cpu-int8`: `verify` is not done; build it first" in capfd.readouterr().err
    assert list(team.level.iterdir()) == []


def test_what_verify_refuses_is_not_pushed(
    tmp_path: Path, measured_once: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, level = copy_workshop(measured_once, tmp_path / "here"), tmp_path / "level"
    level.mkdir()
    (shop.folder / "gpt2forge.yaml").write_text(SETTINGS)
    monkeypatch.setenv("GPT2FORGE_KEY", SECRET)
    shop.prove("nano-cpu-int8", "--set", "verify.max_kl=0", code=1)
    assert list(level.iterdir()) == []
    shop.prove("nano-cpu-int8")
    assert len(list((level / "ac").iterdir())) == 7
    other = make_workshop(tmp_path / "other")
    (other.folder / "gpt2forge.yaml").write_text(SETTINGS)
    steps = other.prove("nano-cpu-int8")["steps"]
    assert {step["outcome"] for step in steps} == {"reused"}
    assert [step["stage"] for step in steps if step["reason"]] == ["quantize"]


def test_push_and_pull_by_hand(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    assert team.run(team.first, "store", "push", "quiet.yaml", "--json") == program.FINE
    (pushed,) = json.loads(capfd.readouterr().out)
    assert (pushed["remote"], pushed["steps"]) == ("../level", 4)
    assert pushed["bytes"] == sum(path.stat().st_size for path in (team.level / "cas").iterdir())
    assert team.run(team.first, "store", "push", "quiet.yaml") == program.FINE
    assert "every remote has every step already" in capfd.readouterr().err
    assert team.run(team.second, "store", "pull", "quiet.yaml") == program.FINE
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["done", "quiet", stage] for stage in ("convert", "export", "fuse", "quantize")
    ]
    assert lines[-1].endswith("pulled from ../level")
    assert not (team.second.folder / "build").exists()


def test_a_push_that_fails_ends_with_an_error(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    team.level.rmdir()
    assert team.run(team.first, "store", "push", "quiet.yaml") == program.USER_ERROR
    warning, error = capfd.readouterr().err.splitlines()
    assert "../level: there is no such folder" in warning
    assert error == "error: `../level`: steps are missing there (see above); fix this and push again"


@pytest.mark.parametrize("where", ["option", "variable"])
def test_none_turns_levels_off(team: Team, where: str) -> None:
    words = ["--remote", "none"] if where == "option" else []
    if where == "variable":
        team.patch.setenv("GPT2FORGE_REMOTE", "none")
    assert team.run(team.first, "build", "quiet.yaml", *words) == program.FINE
    assert list(team.level.iterdir()) == []


def test_the_option_comes_before_the_variable(team: Team, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    team.patch.setenv("GPT2FORGE_REMOTE", "../third ../fourth")
    assert team.run(team.first, "build", "quiet.yaml", "--remote", str(other)) == program.FINE
    assert (other / "ac").is_dir()
    assert list(team.level.iterdir()) == []


def test_wrong_addresses_and_missing_ones_are_one_line(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    assert team.run(team.first, "build", "quiet.yaml", "--remote", "ftp://host") == program.USER_ERROR
    assert capfd.readouterr().err == (
        "error: `--remote ftp://host`: must be a folder, or begin with `http://`, `https://`, `s3://`, `gs://` or "
        "`az://`, as in `https://cache.example/team`\n"
    )
    (team.first.folder / "gpt2forge.yaml").unlink()
    assert team.run(team.first, "store", "pull", "quiet.yaml") == program.USER_ERROR
    assert "there is no remote" in capfd.readouterr().err
    team.patch.delenv("GPT2FORGE_KEY")
    assert team.run(team.first, "store", "push", "quiet.yaml", "--remote", "../level") == program.USER_ERROR
    assert "`GPT2FORGE_KEY`: is not set" in capfd.readouterr().err


def test_settings_without_a_key_are_one_warning(team: Team, capfd: pytest.CaptureFixture[str]) -> None:
    (team.second.folder / "gpt2forge.yaml").write_text("store: {remote: [../level]}\n")
    assert team.run(team.second, "store", "pull", "quiet.yaml") == program.FINE
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert "`store.trusted` lists no key" in line
