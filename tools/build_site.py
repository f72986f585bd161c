"""`python -m tools.build_site`: build the site of docs/ in site/, in its own environment; a broken link ends it."""

import os
import subprocess
import sys
from pathlib import Path

from interop.environments import EnvironmentFault, make_python

ROOT = Path(__file__).resolve().parents[1]


def build_site(root: Path = ROOT) -> None:
    """Build the pages of `root` as its zensical.toml says. Raises subprocess.CalledProcessError if a link is broken."""
    python = make_python("site", ROOT / "tools")
    environment = {**os.environ, "NO_COLOR": "1"}
    subprocess.run((python, "-m", "zensical", "build", "--clean", "--strict"), cwd=root, env=environment, check=True)


if __name__ == "__main__":
    try:
        build_site()
    except EnvironmentFault as fault:
        sys.exit(f"error: {fault}")
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
