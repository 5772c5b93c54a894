"""Runs one workflow in a process of its own.

    python -m onward.local.gcw SOURCE --args-file FILE --result-file FILE --buckets DIR [--pubsub URL]

Exit code 0 with the result as JSON in the result file; 1 when the workflow failed or cannot run here, with
the reason on stderr; 2 for wrong use.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from onward.core.errors import UserError
from onward.local.gcw.errors import WorkflowError
from onward.local.gcw.interpreter import run
from onward.local.gcw.loader import load
from onward.local.gcw.values import Value, from_json, to_json
from onward.local.gcw.world import LocalIo


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    name = options.source.name
    try:
        definition = load(_read(options.source), name)
        args = from_json(_read(options.args_file)) if options.args_file else None
        result = run(definition, args, LocalIo(options.buckets, options.pubsub))
        _write(options.result_file, result)
    except WorkflowError as error:
        at = f"{name}:{error.line}: step {error.step}: " if error.step else f"{name}: "
        print(f"{at}{error.message}", file=sys.stderr)
        return 1
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="onward.local.gcw", description="Run a Cloud Workflows file.")
    parser.add_argument("source", type=Path, help="the definition, YAML or JSON")
    parser.add_argument("--args-file", type=Path, help="the argument of `main`, as JSON")
    parser.add_argument("--result-file", type=Path, required=True, help="where the result goes, as JSON")
    parser.add_argument("--buckets", type=Path, required=True, help="the folder whose folders are buckets")
    parser.add_argument("--pubsub", help="where Pub/Sub's REST API answers, such as http://127.0.0.1:8080")
    return parser.parse_args(argv)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None


def _write(path: Path, result: Value) -> None:
    """The result appears as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(to_json(result), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
