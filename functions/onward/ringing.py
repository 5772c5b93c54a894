"""Runs a PySpark main, and rings when it has ended, however it did. Deployed as a file for the jobs' drivers.

    ringing.py TOPIC JOB MAIN [ARG ...]

`MAIN` is a file that the job has among its `pythonFileUris`, `TOPIC` the full name of the topic of bells,
`JOB` the name that the bell is for. The main sees its own arguments, is `__main__`, and ends the process as
it would alone. A bell is best effort: it is never believed, and one that fails harms nobody. Only the
standard library is there.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import urllib.request

TOKEN = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
PUBLISH = "https://pubsub.googleapis.com/v1/{}:publish"
SECONDS = 5.0


def run(topic: str, job: str, main: str, args: list[str]) -> None:
    """Run the main to its end; what it raises goes on."""
    file = _found(main)
    sys.argv = [file, *args]
    try:
        runpy.run_path(file, run_name="__main__")
    finally:
        ring(topic, job)


def _found(main: str) -> str:
    # The file itself, not a module of its name: one of that name may be loaded already.
    for folder in sys.path[1:]:
        file = os.path.join(folder, main)
        if os.path.isfile(file):
            return file
    raise FileNotFoundError(f"{main} is not among the job's Python files")


def ring(topic: str, job: str) -> None:
    """Say that the job may have ended."""
    try:
        asked = urllib.request.Request(TOKEN, headers={"Metadata-Flavor": "Google"})
        token = json.loads(_answer(asked))["access_token"]
        body = json.dumps({"messages": [{"attributes": {"onward-job": job}}]}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        _answer(urllib.request.Request(PUBLISH.format(topic), body, headers))
    except Exception as error:
        print(f"no bell was rung for {job}: {error}", file=sys.stderr)


def _answer(asked: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
        body: bytes = answer.read()
        return body


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
