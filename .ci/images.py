"""The images of Flex Templates, and the specs that name them.

Usage: images.py BUCKET BUILD REPOSITORY

One for each Beam file of BUILD/deployment.json that is not there yet: the names of image and spec stand for
the content of the pipeline's folder. All share a base with Beam. A pipeline's own Dockerfile takes the place
of ours; as build arguments it is given the BASE, the file to run as MAIN, and that file's folder as BESIDE.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from store import bucket

HERE = Path(__file__).resolve().parent
BASE, STEP = HERE / "beam" / "base.Dockerfile", HERE / "beam" / "step.Dockerfile"
LOCK = HERE / "requirements-local.txt"


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    code, build, repository = bucket(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    templates = json.loads((build / "deployment.json").read_text())["templates"]
    package = {name: _package(repository, template["main"]) for name, template in templates.items()}
    image = {name: f"{package[name]}:{name.split('/')[1]}" for name in templates}
    # The repository forgets old images; a rollback may need one.
    missing = [
        name
        for name in templates
        if not code.blob(name).exists() or _docker("manifest", "inspect", image[name]) != 0
    ]
    if missing:
        base = _base(repository)
        for name in missing:
            _step(build, base, templates[name], image[name], f"{package[name]}:latest")
            spec = build / name
            spec.parent.mkdir(parents=True, exist_ok=True)
            spec.write_text(json.dumps(_spec(image[name]), indent=2) + "\n")
    print(f"{len(missing)} of {len(templates)} Flex Templates were built; the others are there already")


def _base(repository: str) -> str:
    """The shared base, by the version of Beam that laptops have too, and by its Dockerfile. Built once."""
    found = re.search(r"^apache-beam==([^\s;\\]+)", LOCK.read_text(), re.MULTILINE)
    assert found
    digest = hashlib.sha256(BASE.read_bytes()).hexdigest()[:8]
    base = f"{repository}/beam:{found[1]}-{digest}"
    if _docker("pull", "--quiet", base) != 0:
        _must(
            "build", "--tag", base, "--file", str(BASE), "--build-arg", f"BEAM={found[1]}", str(BASE.parent)
        )
        _must("push", "--quiet", base)
    return base


def _package(repository: str, main: str) -> str:
    """The name of all images of one Beam file: readable, and of the registry's alphabet."""
    readable = re.sub(r"[^a-z0-9]+", "-", main.removesuffix(".py").lower()).strip("-")
    return f"{repository}/{readable or 'step'}-{hashlib.sha256(main.encode()).hexdigest()[:8]}"


def _step(build: Path, base: str, template: dict[str, Any], image: str, last: str) -> None:
    """The image of one Beam file. What it has in common with the last one of that file is not built again."""
    folder, _, main = template["main"].partition("/")
    own = template["image"]
    dockerfile = build / "workflows" / own if own else STEP
    _docker("pull", "--quiet", last)
    given = {"BASE": base, "MAIN": main, "BESIDE": main.rpartition("/")[0], "BUILDKIT_INLINE_CACHE": "1"}
    arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    arguments += ["--cache-from", last, "--tag", image, "--tag", last]
    _must("build", *arguments, "--file", str(dockerfile), str(build / "workflows" / folder))
    _must("push", "--quiet", image)
    _must("push", "--quiet", last)


def _spec(image: str) -> dict[str, Any]:
    """A ContainerSpec: the launcher's image is the workers' too, so they have all that the launcher has."""
    return {
        "image": image,
        "sdkInfo": {"language": "PYTHON"},
        "defaultEnvironment": {"sdkContainerImage": image},
    }


def _docker(*arguments: str) -> int:
    """Its exit code. What it prints of an image's manifest is of no use."""
    silent = subprocess.DEVNULL if arguments[0] == "manifest" else None
    return subprocess.run(["docker", *arguments], check=False, stdout=silent).returncode


def _must(*arguments: str) -> None:
    if _docker(*arguments) != 0:
        sys.exit(f"docker {arguments[0]} failed")


if __name__ == "__main__":
    main()
