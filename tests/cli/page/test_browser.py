"""The page in headless Chromium: narrow and wide, light and dark, and by keyboard."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.cli.page.page import make_page
from tests.cli.page.pages import RESULTS, make_data, make_result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (`apt-get install chromium`)"),
]

MEASURE = """
<script>
const root = document.documentElement, style = element => getComputedStyle(element);
document.querySelectorAll("details").forEach(details => { details.open = true; });
const focusable = [...document.querySelectorAll("a[href], summary, [tabindex='0']")];
const reached = focusable.map(element => { element.focus(); return document.activeElement === element; });
const legible = element => element.getBoundingClientRect().height > 0;
const found = {
  width: root.clientWidth,
  scroll_width: root.scrollWidth,
  paper: style(document.body).backgroundColor,
  ink: style(document.body).color,
  requests: performance.getEntriesByType("resource").length,
  focusable: focusable.length,
  reached: reached.filter(Boolean).length,
  charts: [...document.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect().width),
  points: [...document.querySelectorAll("svg .point")].filter(legible).length,
};
const shown = document.createElement("output");
shown.textContent = JSON.stringify(found);
document.body.append(shown);
</script>
"""


def browse(folder: Path, page: str, width: int, is_dark: bool = False) -> dict[str, Any]:
    """Open a page in a window of this width, and return what a script in it measures.

    The page itself allows no script, so its policy is taken out of the copy that is measured.
    """
    copy, count = re.subn(r"<meta http-equiv=[^>]*>", "", page)
    assert count == 1
    path = folder / "page.html"
    path.write_text(copy.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    settings = [f"--window-size={width},900", f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"]
    done = subprocess.run(
        [*command, *settings, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r"<output>(.*?)</output>", done.stdout, re.DOTALL)
    assert found, done.stdout[-500:]
    measured: dict[str, Any] = json.loads(found[1].replace("&amp;", "&"))
    return measured


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Measure the page in a dark window of the least width that Chromium has."""
    long = make_result("774m-cpu@int4-32-gptq-smooth-embeddings-int8-positions-float16", 10**9, 1.0, 0.01)
    return browse(tmp_path_factory.mktemp("narrow"), make_page(make_data([*RESULTS, long])), 500, is_dark=True)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return browse(tmp_path_factory.mktemp("wide"), make_page(make_data()), 1400)


def test_page_fits_a_narrow_and_a_wide_window(narrow: dict[str, Any], wide: dict[str, Any]) -> None:
    for found, results in ((narrow, 5), (wide, 4)):
        assert found["scroll_width"] <= found["width"]
        assert all(200 < each <= found["width"] for each in found["charts"])
        assert found["points"] == 2 * results


def test_page_is_light_or_dark_as_the_reader_asks(narrow: dict[str, Any], wide: dict[str, Any]) -> None:
    assert (wide["paper"], wide["ink"]) == ("rgb(255, 255, 255)", "rgb(27, 31, 36)")
    assert (narrow["paper"], narrow["ink"]) == ("rgb(13, 17, 23)", "rgb(230, 237, 243)")


def test_keyboard_reaches_every_point_and_table_and_nothing_is_loaded(wide: dict[str, Any]) -> None:
    assert wide["reached"] == wide["focusable"] > 2 * len(RESULTS)
    assert wide["requests"] == 0
