"""Write requirements.lock: exact versions and hashes for Linux x86-64, CPython 3.11 and 3.12.

Run by `make lock`. uv resolves pyproject.toml (with all its extras and the build requirements) for every supported
Python at once; of each release only the hashes of the wheels that such a machine can install are kept, or that of
the source archive where there is no such wheel.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.utils import parse_wheel_filename

UV = "uv==0.13.9"
PYTHONS = ("cp311", "cp312")
EXTRAS = ("study", "slurm", "test")
HEADER = """\
# Exact versions and hashes for Linux x86-64, CPython 3.11 and 3.12. Written by: make lock
# Do not edit: change pyproject.toml, then run that command. Installed by: make install
"""
ALWAYS_TRUE = {
    "python_full_version >= '3.11'",
    "python_full_version < '3.13'",
    "platform_machine == 'x86_64'",
    "sys_platform == 'linux'",
}


def uv_command(folder: Path) -> list[str]:
    """The command that starts uv; installed into `folder` where this Python has none."""
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "uv"), UV]
    subprocess.run(pip, check=True)
    return [str(folder / "uv" / "bin" / "uv")]


def resolve(project: Path, folder: Path) -> list[dict]:
    """The packages of a universal resolution, as PEP 751 tables."""
    build = folder / "build-requirements.txt"
    build.write_text("\n".join(tomllib.loads(project.read_text(encoding="utf-8"))["build-system"]["requires"]))
    out = folder / "pylock.toml"
    sources = [str(project), str(build), *(part for extra in EXTRAS for part in ("--extra", extra))]
    flags = ["--universal", "--python-version", "3.11", "--format", "pylock.toml", "--quiet", "-o", str(out)]
    quiet = {"env": {**os.environ, "NO_COLOR": "1"}, "stdout": subprocess.DEVNULL}
    subprocess.run([*uv_command(folder), "pip", "compile", *sources, *flags], check=True, **quiet)
    return tomllib.loads(out.read_text(encoding="utf-8"))["packages"]


def installable(wheel: str) -> bool:
    """Whether CPython 3.11 or 3.12 on a glibc Linux x86-64 machine can install the wheel of this file name."""
    for tag in parse_wheel_filename(wheel)[3]:
        minor = tag.interpreter.removeprefix("cp3")
        stable = tag.abi == "abi3" and minor.isdigit() and int(minor) <= 12
        python = tag.interpreter in ("py3", "py311", "py312") or tag.interpreter in PYTHONS or stable
        abi = tag.abi in ("none", "abi3", *PYTHONS)
        platform = tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith("x86_64"))
        if python and abi and platform and "musllinux" not in tag.platform:
            return True
    return False


def file_name(archive: dict) -> str:
    """The name of a wheel or source archive of a PEP 751 table."""
    return archive.get("name") or (archive.get("url") or archive["path"]).rsplit("/", 1)[-1]


def requirement(package: dict) -> str:
    """One requirement with its marker and hashes, in pip's format."""
    archives = [wheel for wheel in package.get("wheels", []) if installable(file_name(wheel))]
    archives = archives or [package["sdist"]]
    clauses = [clause for clause in package.get("marker", "").split(" and ") if clause not in ALWAYS_TRUE]
    marker = f" ; {' and '.join(clauses)}" if any(clauses) else ""
    hashes = sorted({f"--hash=sha256:{archive['hashes']['sha256']}" for archive in archives})
    return " \\\n    ".join([f"{package['name']}=={package['version']}{marker}", *hashes])


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        packages = resolve(root / "pyproject.toml", Path(folder))
    text = HEADER + "\n".join(requirement(package) for package in packages) + "\n"
    (root / "requirements.lock").write_text(text, encoding="utf-8")
    print(f"requirements.lock: {len(packages)} packages")


if __name__ == "__main__":
    main()
