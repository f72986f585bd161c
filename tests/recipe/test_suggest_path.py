"""What a path that leads nowhere may mean."""

from pathlib import Path

import pytest

from gpt2forge.recipe.suggest_path import suggest_path


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("C:\\models\\mine", "; WSL has that path as `/mnt/c/models/mine`"),
        ("D:/models", "; WSL has that path as `/mnt/d/models`"),
        ("~/models/mine", "; `~` is not replaced here; write `/home/me/models/mine`"),
        ("~you/mine", "; `~` is not replaced here; write the whole path"),
        ("$HOME/mine", "; variables are not replaced here; write the whole path"),
        ("models\\mine", "; did you mean `models/mine`?"),
        ("models/mien", "; did you mean `models/mine`?"),
        ("modles", "; did you mean `models`?"),
        ("models/nothing-like-it", ""),
        ("models/mine", ""),
        ("gone/mine", ""),
        ("note", ""),
        ("models\0/mine", ""),
    ],
)
def test_path_that_is_meant(tmp_path: Path, text: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "note.yaml").touch()
    assert suggest_path(text, tmp_path) == end


def test_folder_with_many_names_is_not_read_whole(tmp_path: Path) -> None:
    for number in range(1100):
        (tmp_path / f"{number:040}").touch()
    assert suggest_path("mine", tmp_path) == ""
