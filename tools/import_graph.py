"""The project's own imports, read from its files: which module imports which, and which folder which."""

import ast
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

Arrow = tuple[str, str]
"""The importing module or folder, and what it imports, as dotted names."""


def arrows(root: Path, packages: Iterable[str]) -> set[Arrow]:
    """Every import of a module of `packages` by another, wherever it stands: in functions and for types too."""
    files = {path: _name(path, root) for package in packages for path in sorted((root / package).rglob("*.py"))}
    known = set(files.values())
    found = set()
    for path, module in files.items():
        inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")), inside):
            target = name if name in known else name.rpartition(".")[0]  # from module import attribute
            if target in known and target != module:
                found.add((module, target))
    return found


def folders(modules: Iterable[Arrow]) -> set[Arrow]:
    """The same between the folders of packages; a file that lies in none stands for itself."""
    between = {(folder(importing), folder(imported)) for importing, imported in modules}
    return {(importing, imported) for importing, imported in between if importing != imported}


def folder(module: str) -> str:
    """Package and folder of a module: `poseur_lib.models` of `poseur_lib.models.poseur.head`."""
    return ".".join(module.split(".")[:2])


def circle(graph: Iterable[Arrow]) -> list[str]:
    """The names along one circle of imports, the first again at the end; empty where there is none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for importing, imported in graph:
        sorter.add(importing, imported)
    try:
        sorter.prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def _imported(tree: ast.AST, inside: str) -> Iterator[str]:
    """What the import statements of a file name; `inside` is the package that relative ones start from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), inside) if node.level else node.module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
