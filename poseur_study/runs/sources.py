"""Which version of some of the package's code this is, so that what it computed once is known to hold still."""

import hashlib
from functools import cache
from pathlib import Path

import poseur_lib


@cache
def source_digest(*places: str) -> str:
    """Sixteen hexadecimal digits of the source files at these places of the packages (files or folders)."""
    root = Path(poseur_lib.__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for place in places:
        path = root / place
        files = sorted(one for one in path.rglob("*") if one.suffix in (".py", ".json")) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
