"""Writers are opened twice and write whole texts, and our packages are measured alone; in small."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from bench.document import TEXTS, compose_page, read_results
from bench.goals import BLOCKS
from bench.plan import Plan
from bench.quiet import Gate
from bench.shapes import NANO
from bench.text_tables import tabulate_texts
from bench.texts import WRITERS, measure_alone, measure_writers
from gpt2forge.runtime.open_model import open_model
from tests.workshop import ROOT, Workshop

SMALL = {"ROUNDS": 1, "NEW": 4, "BATCHES": (1, 2), "PAUSE": 0, "TRIES": 1, "LOOP_NEW": 6, "LOOP_TEXTS": {True: 2}}


@pytest.mark.slow
def test_writers_and_packages_are_measured(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(f"bench.texts.{name}", value)
    workshop.build("nano-cpu-int8")
    package, packed = tmp_path / "package", f"{BLOCKS}, packed"
    package.symlink_to((workshop.folder / "build/nano-cpu-int8").resolve())
    plan = Plan("nano", NANO, tmp_path / "none", tmp_path)
    (tmp_path / "peers/ours").mkdir(parents=True)
    files = {BLOCKS: {"path": str(package)}, "CTranslate2 int8": {"error": "there is none"}}
    names = (BLOCKS, packed, "CTranslate2 int8")
    found = {
        "writers": measure_writers(plan, {name: WRITERS[name] for name in names}, files, Gate(0)),
        "alone": {BLOCKS: measure_alone(plan, open_model(package), Gate(0))},
        "gate": Gate(0).to_json(),
    }
    assert found["writers"]["CTranslate2 int8"] == {"error": "there is none"}
    for name in (BLOCKS, packed):
        writer = found["writers"][name]
        assert list(writer["tokens_s"]) == ["1", "2"] and writer["tokens_s"]["2"]["least"] > 0
        assert writer["open_s"] > 0 and 0 < writer["added_bytes"] < 1e9
    assert (tmp_path / "package, packed/packed.json").is_file()
    alone = found["alone"][BLOCKS]
    assert alone["loop"].keys() == {"likeliest", "drawn"} and list(alone["checked_ms"]) == ["1", "2", "4", "8"]
    assert alone["guesses"]["repeating, likeliest"]["identical"] == alone["guesses"]["repeating, likeliest"]["tokens"]
    ((part, sheets),) = tabulate_texts({"texts": {"nano": found}})
    assert part == "texts" and [len(sheet.rows) for sheet in sheets] == [2, 1, 1, 4]
    without = {name: value for name, value in read_results().items() if name != "texts"}
    page = compose_page({**without, "texts": {"nano": found}})
    assert TEXTS in page and f"| {packed} | " in page and TEXTS not in compose_page(without)


def test_every_writer_has_a_module_and_files_that_some_system_makes() -> None:
    for writer in WRITERS.values():
        assert (ROOT / f"bench/writers/{writer.module or writer.kind}.py").is_file()
