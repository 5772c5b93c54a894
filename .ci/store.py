"""What deployments keep in the code bucket: uploaded once under names that stand for their content, and kept.

Usage: store.py upload BUCKET BUILD ARCHIVE     all of BUILD that is not there yet; functions.zip as ARCHIVE
       store.py earlier BUCKET BUILD COUNT      fetch the last COUNT deployments into BUILD/earlier
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

KEPT = ("files", "definitions", "templates")
DEPLOYMENTS = "deployments/"


def bucket(name: str) -> Any:
    """The bucket, through Google's client."""
    from google.cloud.storage import Client  # type: ignore[import-untyped]

    return Client().bucket(name)


def upload(code: Any, build: Path, archive: str) -> Iterator[str]:
    """Yields what was not there yet. The manifest comes last: then all that it names is there."""
    manifest = build / "deployment.json"
    for name in json.loads(manifest.read_text())["templates"]:
        if not (build / name).is_file() and not code.blob(name).exists():
            sys.exit(f"{name} is not built; `make images` builds it")
    objects = {archive: build / "functions.zip"}
    for kind in KEPT:
        for path in filter(Path.is_file, (build / kind).rglob("*")):
            objects[path.relative_to(build).as_posix()] = path
    objects[f"{DEPLOYMENTS}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"] = manifest
    for name, path in objects.items():
        if _create(code, name, path):
            yield name


def _create(code: Any, name: str, path: Path) -> bool:
    """False if it is there already. The first one stays: runs under way may use it."""
    from google.api_core.exceptions import PreconditionFailed

    try:
        code.blob(name).upload_from_filename(str(path), if_generation_match=0)
    except PreconditionFailed:
        return False
    return True


def earlier(code: Any, build: Path, count: int) -> Iterator[str]:
    """Manifests and Workflows definitions, as `onward compile --earlier` reads them; yields the manifests."""
    into = build / "earlier"
    shutil.rmtree(into, ignore_errors=True)
    (into / DEPLOYMENTS).mkdir(parents=True)
    (into / "definitions").mkdir()
    names = sorted(blob.name for blob in code.list_blobs(prefix=DEPLOYMENTS))
    for name in names[-count:]:
        code.blob(name).download_to_filename(str(into / name))
        for source in json.loads((into / name).read_text())["definitions"].values():
            if not (into / source).exists():
                code.blob(source).download_to_filename(str(into / source))
        yield name


def main() -> None:
    match sys.argv[1:]:
        case ["upload", code, build, archive]:
            done = upload(bucket(code), Path(build), archive)
        case ["earlier", code, build, count] if count.isdecimal():
            done = earlier(bucket(code), Path(build), int(count))
        case _:
            sys.exit(__doc__)
    for name in done:
        print(f"gs://{code}/{name}")


if __name__ == "__main__":
    main()
