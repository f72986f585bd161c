"""`gpt2forge init` in a foreign folder: what it writes builds, and nothing is overwritten."""

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from gpt2forge.cli.init_command import UNMEASURED
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.yaml import read_document
from gpt2forge.settings import Settings, load_settings
from tests.workflows import ACTIONS, INSTALL, WorkflowRun, list_steps, read_workflow
from tests.workshop import ROOT, Workshop

NANO = "examples/nano"
WORKFLOW = ".github/workflows/build.yml"
FILES = {
    *("recipes/nano-cpu-int8.yaml", "gpt2forge.yaml", ".gitignore", "Makefile", ".github/workflows/build.yml"),
    *("texts/held-out.txt", "recipe.schema.json", "settings.schema.json"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Make an empty folder beside a copy of the example's checkpoint."""
    shutil.copytree(ROOT / NANO, tmp_path / "nano")
    (tmp_path / "project").mkdir()
    return Workshop(tmp_path / "project")


def list_written(shop: Workshop) -> set[str]:
    return {str(path.relative_to(shop.folder)) for path in shop.folder.rglob("*") if path.is_file()}


def test_project_is_written_and_builds(shop: Workshop, built_once: Workshop) -> None:
    done = shop.run("init", "../nano")
    assert list_written(shop) == FILES
    assert done.stdout.splitlines()[0] == "tf1, 1,350,400 parameters"
    assert done.stdout.splitlines()[-1].startswith("next: gpt2forge build nano-cpu-int8")
    assert "../nano` is outside this folder: before CI can build, copy it" in done.stderr
    assert (shop.folder / "texts/held-out.txt").read_text() == (ROOT / NANO / "heldout.txt").read_text()
    shutil.copytree(built_once.store, shop.store, symlinks=True)  # it has every step already
    assert shop.run("build", "nano-cpu-int8").stderr.count("reused") == 4
    assert (shop.folder / "build/nano-cpu-int8/model.onnx").is_file()


def test_recipe_measures_the_text_that_was_found(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("init", "../nano")
    monkeypatch.chdir(shop.folder)
    recipe = load_recipe("nano-cpu-int8").recipe
    assert recipe.verify and recipe.verify.text == "texts/held-out.txt"
    assert recipe.source.checkpoint == "../nano"
    assert load_settings() == Settings()


def test_without_a_text_there_is_a_place_for_one_and_the_recipe_is_complete(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.folder.parent / "nano/heldout.txt").unlink()
    shop.run("init", "../nano")
    assert list_written(shop) == FILES - {"texts/held-out.txt"} | {"texts/README.md"}
    monkeypatch.chdir(shop.folder)
    assert load_recipe("nano-cpu-int8").recipe.verify is None
    path = Path("recipes/nano-cpu-int8.yaml")
    head, place, verify = path.read_text().partition("# Put such a text into texts/held-out.txt")
    shown = place + verify.replace("\n# ", "\n")
    path.write_text(head + shown)
    verify_section = load_recipe("nano-cpu-int8").recipe.verify
    assert verify_section and verify_section.text == "texts/held-out.txt"


def test_recipe_and_settings_name_the_schemas_that_are_written(shop: Workshop) -> None:
    shop.run("init", "../nano")
    for path in ("recipes/nano-cpu-int8.yaml", "gpt2forge.yaml"):
        first = (shop.folder / path).read_text().splitlines()[0]
        schema = (shop.folder / path).parent / first.removeprefix("# yaml-language-server: $schema=")
        document = read_document(shop.folder / path).plain()
        jsonschema.validate(document, json.loads(schema.read_text()))


def test_second_start_overwrites_nothing_and_says_so(shop: Workshop) -> None:
    (shop.folder / "Makefile").write_text("mine:\n")
    (shop.folder / ".gitignore").symlink_to("nowhere")
    done = shop.run("init", "../nano")
    assert "exists   Makefile (left as it is)" in done.stdout
    assert "exists   .gitignore (left as it is)" in done.stdout
    assert (shop.folder / "Makefile").read_text() == "mine:\n"
    assert not (shop.folder / "nowhere").exists()
    again = json.loads(shop.run("init", "../nano", "--json").stdout)
    assert again["written"] == [] and set(again["left"]) == FILES
    assert again["recipe"] == "nano-cpu-int8"


@pytest.mark.parametrize(
    ("address", "name"),
    [("hf://owner/my-model@v1", "my-model"), ("openai://124M", "124M"), ("hf://openai-community/gpt2", "gpt2")],
)
def test_address_is_taken_as_it_is(shop: Workshop, address: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("init", address)
    monkeypatch.chdir(shop.folder)
    assert load_recipe(f"{name}-cpu-int8").recipe.source.checkpoint == address


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nowhere", "no checkpoint at `nowhere`"),
        ("gpt2", "; to fetch it, write `hf://openai-community/gpt2`"),
        ("hf://gpt2", "did you mean `hf://openai-community/gpt2`?"),
        ("openai://125M", "OpenAI published"),
        (str(ROOT / "recipes"), "no checkpoint at"),
        ("../nan", "no checkpoint at `../nan`; did you mean `../nano`?"),
        ("~/nano", "no checkpoint at `~/nano`; `~` is not replaced here; write `/"),
        ("C:\\nano", "no checkpoint at `C:\\nano`; WSL has that path as `/mnt/c/nano`"),
    ],
)
def test_what_is_no_checkpoint_writes_nothing(shop: Workshop, words: str, message: str) -> None:
    done = shop.run("init", words, code=1)
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert list_written(shop) == set()


def test_absolute_path_inside_the_project_becomes_relative(shop: Workshop) -> None:
    (shop.folder / "my model").symlink_to(ROOT / NANO)
    shop.run("init", str(shop.folder / "my model"))
    (recipe,) = (shop.folder / "recipes").glob("*.yaml")
    assert read_document(recipe).find(("source", "checkpoint")).value == "my model"  # type: ignore[union-attr]


def test_goals_of_the_makefile_name_recipes(shop: Workshop) -> None:
    shop.run("init", "../nano")

    def make(*words: str) -> str:
        command = ["make", "--no-print-directory", "GPT2FORGE=echo", *words]
        return subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, check=True).stdout

    assert make("build") == "build nano-cpu-int8\n"
    assert make("build", "RECIPE=other") == "build other\n"
    assert make("build", "one", "two@x") == "build one two@x\n"
    assert make("plan", "recipes/nano-cpu-int8.yaml") == "plan recipes/nano-cpu-int8.yaml\n"
    assert make("list") == "list\n"
    assert [line.split()[1] for line in make().splitlines()] == [
        *("help", "list", "build", "plan", "why", "compare", "doctor")
    ]


def test_workflow_uses_what_ours_uses(shop: Workshop) -> None:
    shop.run("init", "../nano")
    workflow = read_workflow(shop.folder / WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["env"]["RECIPES"] == "*"
    steps = list_steps(workflow)
    assert {step["uses"] for step in steps if "uses" in step} <= ACTIONS
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    assert "torch==2.13.0" in next(step["run"] for step in steps if step.get("name") == INSTALL)


def test_workflow_does_what_that_of_this_repository_does(shop: Workshop) -> None:
    shop.run("init", "../nano")
    ours, theirs = (read_workflow(path) for path in (ROOT / WORKFLOW, shop.folder / WORKFLOW))
    for workflow in (ours, theirs):
        del workflow["env"]
        for step in list_steps(workflow):
            if step.get("name") == INSTALL:
                del step["run"]
            for name in ("cache-dependency-path", "path"):
                if step.get("uses", "").startswith(("actions/setup-python", "actions/download")):
                    step["with"].pop(name, None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("checkpoint", "place"),
    [("../nano", "checkpoints/nano"), ("models/nano", "models/nano"), ("hf://owner/mine", "checkpoints/mine")],
)
def test_checkpoint_that_is_an_artifact_goes_where_the_recipe_looks(
    shop: Workshop, checkpoint: str, place: str
) -> None:
    shutil.copytree(shop.folder.parent / "nano", shop.folder / "models/nano")
    shop.run("init", checkpoint)
    steps = list_steps(read_workflow(shop.folder / WORKFLOW))
    (download,) = (step["with"] for step in steps if "run-id" in step.get("with", {}))
    assert download["path"] == place


@pytest.mark.slow
def test_workflow_runs_with_the_installed_package_and_a_checkpoint_that_is_an_artifact(shop: Workshop) -> None:
    artifact = shop.folder.parent / "nano"
    shutil.copytree(artifact, shop.folder / "models/nano")
    shop.run("init", "models/nano")
    shutil.rmtree(shop.folder / "models")
    variables = {"SKIP": UNMEASURED.partition(" ")[2], "CHECKPOINT_RUN": "12345"}
    run = WorkflowRun(folder=shop.folder, path=shop.folder / WORKFLOW, artifact=artifact, variables=variables)
    assert run.play() == []
    assert (shop.folder / "ship/nano-cpu-int8/model.onnx").is_file()
    assert run.outputs == "anything=true\n"
    assert "| nano-cpu-int8 | 1.7 MB" in run.summary
    assert (shop.folder / "before/nano-cpu-int8.json").is_file()
