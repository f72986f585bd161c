"""The site of docs/ builds without a broken link, and leads to every page."""

import shutil
from pathlib import Path

from tools.build_site import ROOT, build_site


def test_the_site_has_every_page_and_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "zensical.toml").write_bytes((ROOT / "zensical.toml").read_bytes())
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    build_site(tmp_path)
    front = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        if page.stem != "index":
            assert (tmp_path / "site" / page.stem / "index.html").is_file()
            assert f'href="{page.stem}/"' in front
    assert (tmp_path / "site/benchmarks/choice-774m.svg").is_file()
