"""Builds the pages of docs/ as a site, in an environment of its own: tools/docs [DIRECTORY]. Standard library only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-docs"


def build(programs: Path, target: Path) -> int:
    """Build the site with the Sphinx of an environment; returns its exit status.

    Args:
        programs: The environment's folder of programs.
        target: Where the pages go.
    """
    command = [
        programs / "python",
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-b",
        "html",
        ROOT / "docs",
        target,
    ]
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False).returncode


def main(words: list[str]) -> int:
    """Make the environment, build, and say where the first page is."""
    sys.path.insert(0, str(ROOT / "tools"))
    import environment

    target = Path(words[0]).resolve() if words else ROOT / "build" / "docs"
    status = build(environment.ensure(ENVIRONMENT, ["docs"], link=True), target)
    if status == 0:
        sys.stdout.write(f"{target / 'index.html'}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
