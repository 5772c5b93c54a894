"""Usage: package.py BUILD    Writes BUILD/functions.zip, what Cloud Functions are built from.

As Google's Python buildpack wants it: requirements.txt at the top, the entry points in functions/main.py (the
build variable GOOGLE_FUNCTION_SOURCE says so). It holds what the entry points import, however late, and the
pipelines that `onward compile` put into BUILD/workflows. The same input gives the same bytes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"


def modules(functions: Path) -> list[Path]:
    """main.py, the modules it leads to, and the files beside those that are no modules: pages, styles."""
    found: set[Path] = set()
    waiting = [functions / "main.py"]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(functions, module)
    packages = {module.parent for module in found if module.name == "__init__.py"}
    beside = (path for package in packages for path in package.rglob("*") if _is_asset(path, packages))
    return sorted(found.union(beside))


def _imported(functions: Path, module: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(module.read_bytes())):
        match node:
            case ast.Import(names=names):
                dotted = [alias.name for alias in names]
            case ast.ImportFrom(module=str(source), names=names):
                dotted = [f"{source}.{alias.name}" for alias in names]
            case _:
                continue
        for name in dotted:
            place = functions
            for part in name.split("."):  # a package is imported before what is in it
                place = place / part
                yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


def _is_asset(path: Path, packages: set[Path]) -> bool:
    """Whether it belongs to the nearest package above it, and that is one of these."""
    above = next(parent for parent in path.parents if (parent / "__init__.py").exists())
    return path.is_file() and path.suffix not in (".py", ".pyc") and above in packages


def contents(build: Path) -> dict[str, bytes]:
    """Every file of the archive, by name."""
    found = {"requirements.txt": (ROOT / "requirements.txt").read_bytes()}
    for path in modules(FUNCTIONS):
        found[f"functions/{path.relative_to(FUNCTIONS).as_posix()}"] = path.read_bytes()
    workflows = build / "workflows"
    if not workflows.is_dir():
        sys.exit(f"{workflows} is not there; `make compile` makes it")
    for path in filter(Path.is_file, workflows.rglob("*")):
        found[f"functions/workflows/{path.relative_to(workflows).as_posix()}"] = path.read_bytes()
    return found


def package(build: Path) -> Path:
    """The archive, written anew."""
    archive, files = build / "functions.zip", contents(build)
    # Not compressed: what zlib makes of the same bytes changes with its version.
    with ZipFile(archive, "w", ZIP_STORED) as written:
        for name, body in sorted(files.items()):
            entry = ZipInfo(name)  # of 1980, on no system
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            written.writestr(entry, body)
    return archive


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(package(Path(sys.argv[1])))
