"""The folder at which the paths in a recipe start, whatever the working directory."""

from pathlib import Path

import pytest

from gpt2forge.recipe.project import find_project, list_candidates
from tests.workshop import ROOT, Workshop, make_workshop

MINE = "name: mine\nextends: gpt2forge/cpu\nsource: {checkpoint: models/nano}\nquantization: {scheme: int8}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with settings, a recipe, a checkpoint and a text."""
    folder = tmp_path / "project"
    (folder / "recipes/team").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models/nano").symlink_to(ROOT / "examples/nano")
    (folder / "gpt2forge.yaml").write_text("# settings\n")
    (folder / "recipes/mine.yaml").write_text(f"{MINE}verify: {{text: models/nano/heldout.txt, tokens: 2048}}\n")
    return folder


@pytest.mark.parametrize("place", [".", "recipes", "recipes/team", "models", "..", "/"])
def test_paths_start_at_the_project_from_every_working_directory(
    project: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / place)
    found = find_project(project / "recipes/mine.yaml")
    assert (project / place / found).resolve() == project
    assert found.is_absolute() == (place != ".")


def test_plans_are_the_same_from_every_working_directory(project: Path, tmp_path: Path) -> None:
    words = ("plan", "--store", str(tmp_path / "store"), "--skip", "benchmark")
    plans = [
        Workshop(folder).run(*words, recipe).stdout
        for folder, recipe in (
            (project, "mine"),
            (project / "models", "../recipes/mine.yaml"),
            (tmp_path, "project/recipes/mine.yaml"),
        )
    ]
    assert plans[0].startswith("will run  convert")
    assert plans[1:] == plans[:1] * 2


def test_nearest_settings_above_the_recipe_decide(project: Path) -> None:
    assert find_project(project / "recipes/team/x.yaml") == project
    (project / "recipes/gpt2forge.yaml").touch()
    assert find_project(project / "recipes/team/x.yaml") == project / "recipes"


def test_without_settings_the_folder_of_recipes_decides(project: Path) -> None:
    (project / "gpt2forge.yaml").unlink()
    assert find_project(project / "recipes/team/x.yaml") == project


def test_recipe_outside_any_project_starts_at_the_working_directory(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path / "here")
    (tmp_path / "mine.yaml").write_text(MINE.replace("models", "examples"))
    assert find_project(tmp_path / "mine.yaml") == Path()
    assert "will run  convert" in shop.run("plan", str(tmp_path / "mine.yaml")).stdout


def test_links_to_a_project_and_to_its_recipe(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to(project)
    assert find_project(Path("link/recipes/mine.yaml")) == tmp_path / "link"
    Path("mine.yaml").symlink_to(project / "recipes/mine.yaml")
    assert find_project(Path("mine.yaml")) == project
    Path("other").mkdir()
    Path("other/recipes").symlink_to(project / "recipes")
    assert find_project(Path("other/recipes/mine.yaml")) == tmp_path / "other"
    monkeypatch.chdir("link")
    assert find_project(Path("recipes/mine.yaml")) == Path()


def test_dots_after_a_link_lead_where_the_system_goes(project: Path, tmp_path: Path) -> None:
    """`inner/../recipes` is beside the folder that `inner` links to."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/inner").symlink_to(project / "models")
    (tmp_path / "elsewhere/gpt2forge.yaml").touch()
    assert find_project(tmp_path / "elsewhere/inner/../recipes/mine.yaml") == project


def test_missing_text_is_told_from_where_its_path_starts(project: Path, tmp_path: Path) -> None:
    (project / "recipes/mine.yaml").write_text(f"{MINE}verify: {{text: gone.txt}}\n")
    done = Workshop(tmp_path).run("plan", "project/recipes/mine.yaml", code=1)
    assert done.stderr == (
        "error: project/recipes/mine.yaml:5:10: `verify.text: gone.txt`: there is no such file; "
        f"name a file, by its path from the project, `{project}`\n"
    )


def test_settings_that_appear_or_go_may_move_the_project(project: Path) -> None:
    found = list(list_candidates(project / "recipes/mine.yaml"))
    assert found == [project / "recipes/gpt2forge.yaml", project / "gpt2forge.yaml"]
    (project / "gpt2forge.yaml").unlink()
    assert Path("/gpt2forge.yaml") in list_candidates(project / "recipes/mine.yaml")
