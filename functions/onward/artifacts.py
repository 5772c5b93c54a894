"""Where a deployment puts what jobs need of a pipeline's folder: names that are derived from content alone.

    files/{content of the folder}/{file}               a job's file, in the code bucket
    files/ringing/{its content}/ringing.py             what runs a PySpark main and rings (`onward.ringing`)
    templates/{content of the folder}/{file}.json      the spec of the Flex Template built from a Beam file
    {deployment}-{content of the file}                 a Workflows definition

What deploys and what looks it up later derive the same names here. `files` are a folder's: name → SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def content_hash(files: Mapping[str, str]) -> str:
    """The hash of a set of files, from the hash of each by name."""
    whole = hashlib.sha256()
    for name, digest in sorted(files.items()):
        whole.update(f"{len(name.encode())}:{name}{digest}".encode())
    return whole.hexdigest()


def file_object(files: Mapping[str, str], name: str) -> str:
    """The object of a job's file."""
    return f"files/{content_hash(files)}/{name}"


def ringing_object() -> str:
    """The object of the program that runs a PySpark main and rings."""
    from onward import ringing  # brings an HTTP client, which nobody else here needs

    body = Path(ringing.__file__).read_bytes()
    return f"files/ringing/{hashlib.sha256(body).hexdigest()}/ringing.py"


def modules(files: Mapping[str, str], main: str) -> list[str]:
    """The Python files beside a job's own: what it can import by name, here as on a laptop."""
    folder = PurePosixPath(main).parent
    beside = (PurePosixPath(name) for name in files if name != main)
    return sorted(str(path) for path in beside if path.suffix == ".py" and path.parent == folder)


def template_object(files: Mapping[str, str], name: str) -> str:
    """The object of the spec of the Flex Template that is built from a Beam file."""
    return f"templates/{content_hash(files)}/{name}.json"


def definition_id(files: Mapping[str, str], name: str, deployment: str = "onward") -> str:
    """The id of a Workflows definition in a deployment. KeyError if there is no such file."""
    return f"{deployment}-{files[name][:32]}"
