"""Tests of `gpt2forge.yaml`: its values, their defaults, and the faults of a wrong one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpt2forge.errors import UserError
from gpt2forge.recipe.yaml import parse
from gpt2forge.settings import BuildSettings, Settings, StoreSettings, load_settings
from gpt2forge.units import parse_size
from tests.workshop import ROOT, Workshop

PAGE = (ROOT / "docs/settings.md").read_text(encoding="utf-8")


def load(folder: Path, text: str) -> Settings:
    path = folder / "gpt2forge.yaml"
    path.write_text(text)
    return load_settings(path)


def test_without_the_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "gpt2forge.yaml")
    store = {"max_size": None, "remote": [], "trusted": []}
    assert settings.model_dump() == {"store": store, "build": {"jobs": None, "memory": "80%"}}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "store:\nbuild:\n", "store: {max_size: null}"])
def test_what_is_left_empty_has_its_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Settings()


def test_values_are_read(tmp_path: Path) -> None:
    settings = load(tmp_path, "store:\n  max_size: 20GB\nbuild:\n  jobs: 2\n  memory: 12GB\n")
    assert settings == Settings(store=StoreSettings(max_size=20 * 10**9), build=BuildSettings(jobs=2, memory="12GB"))


@pytest.mark.parametrize(
    ("memory", "bytes_"),
    [("80%", 8000), ("100%", 10_000), ("1%", 100), ("2.5%", 250), ("6kB", 6000), ("12GB", 12 * 10**9)],
)
def test_memory_is_a_share_of_the_machine_or_a_size(memory: str, bytes_: int) -> None:
    assert BuildSettings(memory=memory).grant(10_000) == bytes_


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("17", 17), ("5 B", 5), ("1k", 1000), ("1.5MB", 1_500_000), ("20gb", 20 * 10**9), ("2T", 2 * 10**12)],
)
def test_sizes_are_in_powers_of_1000(text: str, size: int) -> None:
    assert parse_size(text) == size


SIZE = "must be a size, as in `20GB` or `500MB`"
SHARE = "must be a percentage from `1%` to `100%`, or a size, as in `12GB`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stor: {}", "1:1: unknown key `stor`; did you mean `store`?"),
        ("extends: x", "1:1: unknown key `extends`; there are `store`, `build`"),
        ("store:\n  max: 1GB", "2:3: unknown key `store.max`; there are `max_size`, `remote`, `trusted`"),
        ("build:\n  job: 2", "2:3: unknown key `build.job`; did you mean `jobs`?"),
        ("store: 20GB", "1:1: `store: 20GB` must be a mapping"),
        ("store:\n  max_size: much", f"2:3: `store.max_size: much` {SIZE}"),
        ("store:\n  max_size: -5", f"2:3: `store.max_size: -5` {SIZE}"),
        ("store:\n  max_size: 1.5", f"2:3: `store.max_size: 1.5` {SIZE}"),
        ("store:\n  max_size: true", f"2:3: `store.max_size: true` {SIZE}"),
        (f"store:\n  max_size: '{'9' * 20}'", f'2:3: `store.max_size: "{"9" * 20}"` {SIZE}'),
        ("store:\n  remote: here", "2:3: `store.remote: here` must be a list; write `[here]`"),
        (
            "store:\n  remote: [ftp://a]",
            "2:12: `store.remote.0: ftp://a` must be a folder, or begin with `http://`, `https://`, `s3://`, `gs://` or "
            "`az://`, as in `https://cache.example/team`",
        ),
        (
            "store:\n  trusted: [mine]",
            "2:13: `store.trusted.0: mine` must be a public key, `ed25519:...`, as `gpt2forge key new FILE` prints it",
        ),
        ("build:\n  memory: 0%", f"2:3: `build.memory: 0%` {SHARE}"),
        ("build:\n  memory: 101%", f"2:3: `build.memory: 101%` {SHARE}"),
        ("build:\n  memory: 0", f"2:3: `build.memory: 0` {SHARE}"),
        ("build:\n  memory: 0.8", f"2:3: `build.memory: 0.8` {SHARE}"),
        ("build:\n  memory: [1]", f"2:3: `build.memory: [1]` {SHARE}"),
        ("build:\n  jobs: 0", "2:3: `build.jobs: 0` must be 1 or more"),
        ("build:\n  jobs: two", "2:3: `build.jobs: two` must be a whole number"),
        ("- store", "1:1: this file is a mapping: `store: ...`, `build: ...`"),
    ],
)
def test_slip_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, text)
    assert str(error.value) == f"{tmp_path}/gpt2forge.yaml:{message}"


def test_levels_and_keys_are_lists(tmp_path: Path) -> None:
    key = "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
    found = load(tmp_path, f"store:\n  remote: [/mnt/a, 'read-only:https://b/c', s3://d/e]\n  trusted: ['{key}']\n")
    assert (found.store.remote, found.store.trusted) == (["/mnt/a", "read-only:https://b/c", "s3://d/e"], [key])


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, "build:\n  jobs: 0\n  memory: x\nstor: {}\n")
    assert [line.split(": ")[0].rpartition("yaml:")[2] for line in str(error.value).splitlines()] == [
        "2:3",
        "3:3",
        "4:1",
    ]


def test_folder_of_that_name_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load_settings(tmp_path)
    assert str(error.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_other_ending_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gpt2forge.yml").write_text("store: {max_size: 1GB}")
    with pytest.raises(
        UserError, match=r"gpt2forge\.yml: is not read under this name; rename it to `gpt2forge\.yaml`$"
    ):
        load_settings(tmp_path / "gpt2forge.yaml")


def list_keys() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        section: Any = field.annotation
        yield from (f"{name}.{key}" for key in section.model_fields)


def test_page_has_a_line_for_every_key_and_no_other() -> None:
    assert re.findall(r"^\| `([a-z_.]+)` \| ", PAGE, re.MULTILINE) == list(list_keys())


def test_file_of_the_page_is_valid_and_fits_the_schema(tmp_path: Path, workshop: Workshop) -> None:
    text = PAGE.partition("```yaml\n")[2].partition("```")[0]
    assert load(tmp_path, text).store.max_size == 20 * 10**9
    schema = json.loads(workshop.run("schema", "--settings", "--json").stdout)
    jsonschema.validate(parse(text, "page").plain(), schema)
    jsonschema.validate({"store": None, "build": {"memory": 12}}, schema)
    for bad in ({"stor": {}}, {"store": {"max_size": "20XB"}}, {"build": {"jobs": 0}}, {"build": {"memory": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
