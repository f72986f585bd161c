"""`configure` writes a package again with other settings, and puts a draft into it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.errors import UserError
from gpt2forge.recipe.sections.generation_section import GenerationSection
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.open_model import open_model
from gpt2forge.stages.configure import STAGE
from gpt2forge.stages.stage import Inputs, Metrics
from gpt2forge.stages.worker import view_section
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

PROMPT = "class Reader:\n    def __init__(self, name):\n        self.name = name\n\n    def "
VALUES = {"temperature": 0.5, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.25, "max_tokens": 9}


@pytest.fixture(scope="module")
def package(workshop: Workshop) -> Path:
    return workshop.build("nano-cpu-int8").resolve()


def configure(package: Path, out: Path, draft: Path | None = None, **values: Any) -> Metrics:
    """Run the stage with a section as its worker does."""
    section = GenerationSection.model_validate(values)
    assert STAGE.fields is not None
    seen = view_section(STAGE, {name: getattr(section, name) for name in STAGE.fields})
    out.mkdir()
    inputs = Inputs({"package": package, **({"draft": draft} if draft else {})})
    return STAGE.run(inputs, seen, TargetSection(device="cpu"), out)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_only_settings_change(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    metrics = configure(package, out, **VALUES)
    changed = {"generation_config.json", "genai_config.json", "forge.json"}
    names = {path.name for path in package.iterdir()}
    assert {path.name for path in out.iterdir()} == names
    for name in names - changed:
        assert (out / name).read_bytes() == (package / name).read_bytes()
    assert metrics == {"package_bytes": sum(path.stat().st_size for path in out.iterdir())}
    before, after = read(package / "generation_config.json"), read(out / "generation_config.json")
    named = {"temperature": 0.5, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.25, "max_new_tokens": 9}
    assert after == before | named | {"do_sample": True}
    genai, was = read(out / "genai_config.json"), read(package / "genai_config.json")
    del named["max_new_tokens"]
    assert genai["search"] == was["search"] | named | {"do_sample": True}
    assert genai["model"] == was["model"]
    forge, made = read(out / "forge.json"), read(package / "forge.json")
    assert {**forge, "sections": made["sections"], "inputs": made["inputs"]} == made


def test_transformers_reads_the_same_settings(package: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    configure(package, tmp_path / "out", speculative={"draft": "prompt-lookup", "tokens": 4}, min_p=0.125, **VALUES)
    read = transformers.GenerationConfig.from_pretrained(tmp_path / "out")
    read.validate(strict=True)
    found = (read.do_sample, read.temperature, read.top_k, read.top_p, read.min_p, read.repetition_penalty)
    assert found == (True, 0.5, 20, 0.9, 0.125, 1.25)
    assert read.max_new_tokens == 9 and read.prompt_lookup_num_tokens is None


def test_text_is_written_as_the_package_says_unless_the_caller_does(package: Path, tmp_path: Path) -> None:
    configure(package, tmp_path / "out", **VALUES)
    plain, model = open_model(package), open_model(tmp_path / "out")
    given = {name: value for name, value in VALUES.items() if name != "max_tokens"}
    for seed in range(3):
        expected = plain.generate(PROMPT, 9, seed=seed, **given)  # type: ignore[call-overload]
        assert model.generate(PROMPT, seed=seed) == expected
    told = model.generate(PROMPT, 12, temperature=0, repetition_penalty=1)
    assert (told.tokens, told.count) == (plain.generate(PROMPT, 12, temperature=0).tokens, 12)
    assert "".join(model.stream(PROMPT, seed=1)) == model.generate(PROMPT, seed=1).text
    long = PROMPT * 200
    room = model.context - 4
    prompt = model.decode(model.encode(long)[:room])
    assert model.generate(prompt, temperature=0).count == 4  # as many as the context has room for


def test_guesses_are_taken_for_a_single_text(package: Path, tmp_path: Path) -> None:
    configure(package, tmp_path / "out", temperature=0, speculative={"draft": "prompt-lookup", "tokens": 6})
    plain, model = open_model(package), open_model(tmp_path / "out")
    expected = plain.generate(PROMPT * 2, 40, temperature=0)
    guessed = model.generate(PROMPT * 2, 40)
    assert guessed.tokens == expected.tokens and guessed.passes != expected.passes == 40
    assert model.generate(PROMPT * 2, 40, speculative=None).passes == 40
    assert [each.passes for each in model.generate([PROMPT * 2, PROMPT * 2], 40)] == [40, 40]
    assert model.generate(PROMPT, 8, beams=2).finish in ("length", "end")


def test_draft_is_a_part_of_the_package_and_changes_no_text(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    metrics = configure(package, out, package, temperature=0, speculative={"draft": "another"})
    draft = {path.name for path in (out / "draft").iterdir()}
    assert draft == {path.name for path in package.iterdir()} - {"model.onnx"} | {"model.onnx_graph"}
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.onnx")] == ["model.onnx"]
    assert metrics["package_bytes"] == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    model = open_model(out)
    found = model.generate(PROMPT, 40)
    assert model.draft is not None and model.draft.folder == out / "draft"
    assert found.tokens == open_model(package).generate(PROMPT, 40, temperature=0).tokens
    shutil.rmtree(out / "draft")
    without = open_model(out)
    assert (without.guesses, without.generate(PROMPT, 4).count) == (None, 4)


def test_draft_with_another_vocabulary_is_refused(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(package, other)
    tokenizer = read(other / "tokenizer.json")
    first, second, *_ = tokenizer["model"]["vocab"]
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").chmod(0o644)
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(UserError, match="the draft has another vocabulary than the model; name a recipe"):
        configure(package, tmp_path / "out", other, speculative={"draft": "another"})
