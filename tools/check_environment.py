"""Say in one line which of pyproject.toml's requirements this Python's environment does not meet.

With `--editable`: exit 1, saying nothing, unless poseur_lib is installed here from this very folder.
Needs nothing but the standard library and pip, as it runs in environments that others made.
"""

import json
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNLOCKED = frozenset(("imagenet",))
"""Extras that whoever wants them installs: neither requirements.lock nor environment.yml has them."""


def unmet(requirements: list[str]) -> list[str]:
    """Those of `requirements` that the environment does not meet, each with the version found."""
    from pip._vendor.packaging.requirements import Requirement

    problems = []
    for requirement in map(Requirement, requirements):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            problems.append(f"{requirement} (missing)")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement} ({version})")
    return problems


def is_editable() -> bool:
    """Whether importing poseur_lib from elsewhere gives this folder's."""
    try:
        location = metadata.distribution("poseur_lib").read_text("direct_url.json") or ""
    except metadata.PackageNotFoundError:
        return False
    found = json.loads(location or "{}")
    return found.get("url", "").rstrip("/") == ROOT.as_uri() and found.get("dir_info", {}).get("editable") is True


def main() -> int:
    if "--editable" in sys.argv[1:]:
        return 0 if is_editable() else 1
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = tables["project"]
    requirements = project["dependencies"] + [
        one for name, extra in project["optional-dependencies"].items() if name not in UNLOCKED for one in extra
    ]
    try:
        problems = unmet(requirements + tables["build-system"]["requires"])
    except ModuleNotFoundError as error:
        problems = [f"pip ({error})"]
    if problems:
        print(f"install: {sys.prefix} does not meet: {', '.join(problems)}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
