"""`gpt2forge build` on the real example: the steps that run, the report and the published result."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.stat_cache import read_stat
from tests.faults.disks import small_disk
from tests.workshop import ROOT, UNMEASURED, Workshop, make_workshop, own_checkpoint

pytestmark = pytest.mark.slow

ALL = [stage.name for stage in STAGES if not stage.optional and stage.name not in ("calibrate", "configure")]
SKIPPED = [stage.name for stage in STAGES if stage.optional]
FILES = [
    "config.json",
    "forge.json",
    "genai_config.json",
    "generation_config.json",
    "merges.txt",
    "model.onnx",
    "model.onnx_data",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
]


@pytest.fixture
def fresh(tmp_path: Path) -> Workshop:
    """Return a working directory whose checkpoint can be changed."""
    shop = make_workshop(tmp_path)
    own_checkpoint(shop)
    return shop


@pytest.fixture
def unpublished(built: Workshop) -> Workshop:
    """Return a working directory whose store has every step, and nothing of it is published."""
    shutil.rmtree(built.folder / "build")
    return built


def list_built(shop: Workshop, *words: str) -> list[str]:
    """Build, and return the stages that ran."""
    steps = shop.report(*words)["steps"]
    assert {step["outcome"] for step in steps} <= {"built", "reused", "skipped"}
    return [step["stage"] for step in steps if step["outcome"] == "built"]


def test_build_leaves_one_link_to_a_read_only_directory(workshop: Workshop) -> None:
    output = workshop.build("nano-cpu-int8")
    assert output.is_symlink()
    assert not output.readlink().is_absolute()
    assert sorted(path.name for path in output.iterdir()) == FILES
    assert {path.stat().st_mode & 0o777 for path in output.iterdir()} == {0o444}
    onnx.checker.check_model(str(output / "model.onnx"))
    session = onnxruntime.InferenceSession(output / "model.onnx")
    assert session.get_inputs()[0].name == "input_ids"


def test_second_build_runs_nothing_and_writes_nothing(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    path = workshop.folder / "build/nano-cpu-int8.json"
    before = read_stat(path)
    report = workshop.report("nano-cpu-int8")
    assert [step["outcome"] for step in report["steps"]] == ["reused"] * len(ALL) + ["skipped"] * len(SKIPPED)
    assert read_stat(path) == before
    saved = json.loads(path.read_text())
    assert report["bytes"] == saved["bytes"]
    digests = [step["digest"] for step in report["steps"]][: len(ALL)]
    assert (
        digests == [step["digest"] for step in saved["steps"]][: len(ALL)]
    )  # the saved report may have earlier measurements


def test_second_recipe_from_the_same_checkpoint_shares_convert_export_and_fuse(built: Workshop) -> None:
    assert list_built(built, "nano-cpu-int4") == ["quantize"]


def test_changed_quantization_reruns_quantize_alone_and_says_why(built: Workshop) -> None:
    report = built.report("nano-cpu-int8", "--set", "quantization.granularity=32", "--name", "nano-32")
    reasons = {step["stage"]: step["reason"] for step in report["steps"] if step["outcome"] == "built"}
    assert reasons == {"quantize": "`quantization.granularity` 128 -> 32"}
    assert (built.folder / "build/nano-32/model.onnx").is_file()


def test_changed_fusion_reruns_fuse_and_quantize(built: Workshop) -> None:
    words = ("nano-cpu-int8", "--set", "fusion.gelu=false", "--name", "nano-gelu")
    assert list_built(built, *words) == ["fuse", "quantize"]


def test_comment_in_a_recipe_reruns_nothing(built: Workshop) -> None:
    (built.folder / "recipes").unlink()
    shutil.copytree(ROOT / "recipes", built.folder / "recipes")
    recipe = built.folder / "recipes/nano-cpu-int8.yaml"
    recipe.write_text("# another remark\n" + recipe.read_text() + "\n# and one more\n")
    assert list_built(built, "nano-cpu-int8") == []


def test_checkpoint_that_moved_reruns_nothing(built: Workshop) -> None:
    (built.folder / "examples/nano").rename(built.folder / "elsewhere")
    words = ("nano-cpu-int8", "--set", "source.checkpoint=elsewhere", "--name", "moved")
    assert list_built(built, *words) == []


def test_one_changed_byte_of_the_vocabulary_reruns_all(built: Workshop) -> None:
    path = built.folder / "examples/nano/encoder.json"
    text = path.read_text()
    assert '"<|endoftext|>"' in text
    path.write_text(text + " ")
    assert list_built(built, "nano-cpu-int8") == ALL


def test_one_changed_byte_of_the_weights_is_noticed(built: Workshop) -> None:
    path = built.folder / "examples/nano/model.ckpt.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    done = built.run("build", "nano-cpu-int8", code=1)
    assert done.stdout == ""
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: examples/nano/model.ckpt.data-00000-of-00001: the checksum of ")
    report = json.loads((built.folder / "build/nano-cpu-int8.json").read_text())
    assert [step["outcome"] for step in report["steps"]] == ["failed"]
    assert f"error: {report['error']}" == message
    assert (built.folder / "build/nano-cpu-int8/model.onnx").is_file()  # the earlier result stays published


def test_equal_builds_in_two_stores_are_equal_to_the_byte(workshop: Workshop, fresh: Workshop) -> None:
    digests = [[step["digest"] for step in shop.report("nano-cpu-int8")["steps"]] for shop in (workshop, fresh)]
    assert digests[0] == digests[1]


def test_forge_json_says_how_it_was_made(workshop: Workshop) -> None:
    output = workshop.build("nano-cpu-int8")
    steps = {step["stage"]: step for step in workshop.report("nano-cpu-int8")["steps"]}
    story = json.loads((output / "forge.json").read_text())
    assert story["sections"] == {
        "fusion": {"attention": True, "skip_layer_norm": False, "gelu": True, "bias": True},
        "quantization": {
            **{"scheme": "int8", "granularity": 128, "method": "nearest", "smooth": False, "embeddings": "int8"},
            **{"kv_cache": "float32", "embeddings_granularity": None, "positions": "float16"},
            **{"few_rows": "channel", "overrides": None, "skip": None},
        },
        "source": {"step": None, "own_tokenizer": True, "special_tokens": None, "file": None},
        "target": {"device": "cpu", "cpu": "any"},
    }
    assert story["inputs"]["quantize"] == {"weights": steps["convert"]["digest"], "graph": steps["fuse"]["digest"]}
    assert list(story["inputs"]) == sorted(ALL)
    assert set(story["tools"]) == {"numpy", "onnx", "onnx-ir"}
    bits = {tensor["name"]: tensor["bits"] for tensor in story["tensors"]}
    assert bits["wte.weight"] == bits["h.3.mlp.c_proj.weight"] == 8
    assert (bits["wpe.weight"], bits["ln_f.bias"]) == (16, 32)


def test_events_are_one_object_a_line(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    lines = workshop.run("build", "--json", "nano-cpu-int8").stdout.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["step_finished"] * len(ALL + SKIPPED) + ["run_finished"]


def test_rerun_makes_a_step_again_and_reuses_the_rest(built: Workshop) -> None:
    assert list_built(built, "nano-cpu-int8", "--rerun", "fuse") == ["fuse"]


def test_until_publishes_nothing_and_says_so(fresh: Workshop) -> None:
    assert list_built(fresh, "nano-cpu-int8", "--until", "export") == ALL[: ALL.index("export") + 1]
    done = fresh.run("build", "nano-cpu-int8", "--until", "convert")
    assert done.stderr.splitlines()[-1] == "`--until convert`: nothing was published"
    assert not (fresh.folder / "build/nano-cpu-int8").exists()


def test_forge_json_of_the_checkpoint_is_not_believed(built: Workshop) -> None:
    shop = built
    digest = shop.report("nano-cpu-int8")["steps"][0]["digest"]
    shutil.copytree(shop.store / "artifacts" / digest, shop.folder / "mine")
    for text in ('{"inputs": {"verify": {"x": "a lie"}}, "sections": {"source": "a lie"}}', "no json"):
        (shop.folder / "mine").chmod(0o755)
        (shop.folder / "mine/forge.json").chmod(0o644)
        (shop.folder / "mine/forge.json").write_text(text)
        shop.run("build", "nano-cpu-int8", "--set", "source.checkpoint=mine", "--name", "mine")
        assert "a lie" not in (shop.folder / "build/mine/forge.json").read_text()


def test_file_that_is_in_the_way_is_one_line(built: Workshop) -> None:
    (built.folder / "file").write_text("")
    for command in ("build", "plan", "why"):
        done = built.run(command, "nano-cpu-int8", "--store", "file", code=1)
        assert done.stderr == "error: file: cannot be a store: Not a directory; choose another with `--store`\n"
    done = built.run("copy", "nano-cpu-int8", "file/sub", code=1)
    error = done.stderr
    assert error.startswith("error: file/") and ": Not a directory; " in error


def test_report_that_was_edited_is_written_anew(built: Workshop) -> None:
    path = built.folder / "build/nano-cpu-int8.json"
    for text in ("{}", '{"steps": 3}', "[]", "no json", '{"error": null, "steps": [1]}'):
        path.write_text(text)
        assert len(built.report("nano-cpu-int8")["steps"]) == len(ALL + SKIPPED)
        assert len(json.loads(path.read_text())["steps"]) == len(ALL + SKIPPED)


def test_link_that_somebody_else_made_is_not_touched(unpublished: Workshop) -> None:
    (unpublished.folder / "build").mkdir()
    (unpublished.folder / "build/nano-cpu-int8").symlink_to("/tmp")
    unpublished.run("build", "nano-cpu-int8", code=1)
    assert str((unpublished.folder / "build/nano-cpu-int8").readlink()) == "/tmp"


def test_missing_checkpoint_says_where_to_put_it(workshop: Workshop) -> None:
    lines = workshop.run("build", "774m-cpu-int8", code=1).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: recipes/774m-cpu-int8.yaml:7:3: no checkpoint at `checkpoints/774M`: ")


def test_changed_recipe_must_be_named(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int8", "--set", "quantization.granularity=64", code=1)
    assert done.stderr == "error: `--set` makes another recipe; name its result with `--name`\n"


def test_folder_that_stands_in_the_way_is_not_touched(unpublished: Workshop) -> None:
    (unpublished.folder / "build/nano-cpu-int8").mkdir(parents=True)
    done = unpublished.run("build", "nano-cpu-int8", code=1)
    message = "error: build/nano-cpu-int8: is not a link that gpt2forge made; move it away and build again"
    assert done.stderr.splitlines()[-1] == message


def test_all_shipped_nano_recipes_build(workshop: Workshop) -> None:
    sizes = {
        name: workshop.report(name)["bytes"]["package"]
        for name in ("nano-cpu-fp32", "nano-cpu-int8", "nano-cpu-int4", "nano-vnni-int8")
    }
    assert sizes["nano-cpu-int4"] < sizes["nano-cpu-int8"] < sizes["nano-cpu-fp32"]
    for name, size in sizes.items():  # the recipe's second line has its size
        assert (ROOT / f"recipes/{name}.yaml").read_text().splitlines()[1].startswith(f"# {size / 1e6:.1f} MB, ")


def test_report_tells_of_a_limit_that_was_edited(built: Workshop) -> None:
    for limit in (0.3, 0.4):
        built.report("nano-cpu-int8", "--set", f"verify.max_kl={limit}", "--name", "edited")
        saved = json.loads((built.folder / "build/edited.json").read_text())
        assert saved["values"]["verify"]["max_kl"] == limit


def test_recipe_that_fails_ends_it_or_not(built: Workshop) -> None:
    (built.folder / "bad.yaml").write_text("name: bad\nsource:\n  checkpoint: nowhere\ntarget:\n  device: cpu\n")
    strict = built.folder / "strict.yaml"
    strict.write_text("name: strict\nextends: recipes/nano-cpu-int8.yaml\nbenchmark:\n  new_tokens: 300\n")
    words = ("build", "strict.yaml", "nano-cpu-int4", "--skip", "verify")
    done = built.run(*words, code=1, measured=True)
    first, second = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert first.startswith("error: strict.yaml:4:3: `benchmark`: 64 prompt tokens and 300 new ones are more")
    rest = "not built, because another recipe failed; `--keep-going` builds the rest"
    assert second == f"error: `nano-cpu-int4`: {rest}"
    assert not (built.folder / "build/nano-cpu-int4").exists()
    report = json.loads((built.folder / "build/nano-cpu-int4.json").read_text())
    assert report["error"] == "not built after another recipe had failed; `--keep-going` builds it"
    done = built.run(*words, "--keep-going", "--skip", "verify", "--set", "x=1", "--name", "y", code=1, measured=True)
    assert done.stderr == "error: `--name` names one result; give one recipe\n"
    (built.folder / "other.yaml").write_text(
        "name: other\nsource:\n  checkpoint: examples/nano\ntarget:\n  device: cpu\nquantization:\n  scheme: int8\n"
    )
    done = built.run("build", "strict.yaml", "other.yaml", "--keep-going", "--skip", "verify", code=1, measured=True)
    assert done.stderr.splitlines()[-1] == "error: 1 of 2 recipes failed: `strict` (see above)"
    assert (built.folder / "build/other/model.onnx").is_file()


def test_checkpoints_that_are_not_there_are_all_named_and_others_are_built(unpublished: Workshop) -> None:
    for name in ("lost", "gone"):
        (unpublished.folder / f"{name}.yaml").write_text(
            f"name: {name}\nsource:\n  checkpoint: {name}/here\ntarget:\n  device: cpu\n"
        )
    words = ("build", "lost.yaml", "nano-cpu-int8", "gone.yaml")
    done = unpublished.run(*words, code=1)
    places = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert places == ["lost.yaml:3:3", "gone.yaml:3:3"]
    assert not (unpublished.folder / "build").exists()
    done = unpublished.run(*words, "--keep-going", code=1)
    *_, lost, gone, last = done.stderr.splitlines()
    assert lost.startswith("error: lost.yaml:3:3: ") and gone.startswith("error: gone.yaml:3:3: ")
    assert last == "error: 2 of 3 recipes failed: `lost`, `gone` (see above)"
    assert (unpublished.folder / "build/nano-cpu-int8/model.onnx").is_file()


def test_recipes_of_one_build_share_their_steps(fresh: Workshop) -> None:
    lines = fresh.run("build", "--json", "nano-cpu-int8", "nano-cpu-int4").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    built = [(each["recipe"], each["stage"]) for each in events if each.get("outcome") == "built"]
    assert sorted(stage for _, stage in built) == sorted([*ALL, "quantize"])
    reports = {each["report"]["recipe"]: each["report"] for each in events if each["event"] == "run_finished"}
    assert sorted(reports) == ["nano-cpu-int4", "nano-cpu-int8"]
    for name, report in reports.items():
        assert sorted(step["stage"] for step in report["steps"]) == sorted([*ALL, *SKIPPED])
        assert (fresh.folder / "build" / name / "model.onnx").is_file()


def test_lines_of_several_recipes_say_whose_step_it_is(built: Workshop) -> None:
    done = built.run("build", "nano-cpu-int8", "nano-cpu-int4", "--jobs", "2", "--rerun", "convert")
    lines = [line.split()[:3] for line in done.stderr.splitlines()]
    assert ["built", "nano-cpu-int8", "convert"] in lines
    assert ["reused", "nano-cpu-int4", "convert"] in lines
    assert ["built", "nano-cpu-int4", "quantize"] in lines


def test_build_that_cannot_fit_does_not_begin(fresh: Workshop) -> None:
    with small_disk(fresh.folder / "cache", "size=3m"):
        done = fresh.run("build", "nano-cpu-int8", code=1)
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: cache: this build writes about ")
        assert list((fresh.folder / "cache").glob("artifacts/*")) == []


def test_interrupted_build_of_several_recipes_tells_it_of_each_and_keeps_what_is_finished(fresh: Workshop) -> None:
    command = [sys.executable, "-m", "gpt2forge", "build", "--json", "nano-cpu-int8", "nano-cpu-int4", *UNMEASURED]
    with subprocess.Popen(
        command, cwd=fresh.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None
        for line in build.stdout:
            event = json.loads(line)
            if (event["event"], event.get("stage")) == ("step_started", "quantize"):
                build.send_signal(signal.SIGTERM)  # as CI does; a shell may have SIGINT ignored
                break
        rest, said = build.communicate()
    assert build.returncode == 130
    assert said.splitlines()[-1] == "error: interrupted; finished steps are kept"
    told = [json.loads(line) for line in rest.splitlines()]
    errors = {each["report"]["recipe"]: each["report"]["error"] for each in told if each["event"] == "run_finished"}
    assert set(errors.values()) == {"interrupted"}
    for name in errors:
        assert json.loads((fresh.folder / f"build/{name}.json").read_text())["error"] == "interrupted"
    assert [step["outcome"] for step in fresh.report("nano-cpu-int8")["steps"]][:3] == ["reused"] * 3


def test_nothing_is_published_beside_the_report_of_something_else(built: Workshop) -> None:
    """A result is not published if its report cannot be written."""
    report = built.folder / "build/nano-cpu-int8.json"
    before = (built.folder / "build/nano-cpu-int8").readlink()
    report.unlink()
    report.mkdir()
    edited = ("--rerun", "quantize", "--until", "quantize")
    built.run("build", "nano-cpu-int8", *edited)
    assert "build/nano-cpu-int8.json" in built.run("build", "nano-cpu-int8", code=1).stderr
    assert (built.folder / "build/nano-cpu-int8").readlink() == before
    (built.folder / "build/nano-cpu-int8").unlink()
    done = built.run("build", "nano-cpu-int8", code=1)
    assert "an earlier build published" not in done.stderr
    assert not (built.folder / "build/nano-cpu-int8").exists()


def test_more_jobs_than_steps_are_as_many_as_steps(built: Workshop) -> None:
    words = ("nano-cpu-int8", "--jobs", "100000", "--rerun", "convert", "--until", "convert")
    assert list_built(built, *words) == ["convert"]


@pytest.mark.parametrize("word", ["--locked", "--write-lock"])
def test_lock_assumes_nothing(fresh: Workshop, word: str) -> None:
    done = fresh.run("build", "nano-cpu-int8", word, "--assume-equivalent", "onnx", code=1)
    assert word in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (fresh.folder / "recipes/nano-cpu-int8.lock").exists()
