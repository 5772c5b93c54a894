"""The Cloud Functions of `main.py` under functions-framework, several in one process: each at its own path.

gunicorn 'onward.local.standins.functions:application("on_object", "on_timer")'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onward

SOURCE = Path(onward.__file__).parents[1] / "main.py"
READY = "the functions are ready"


def application(*targets: str) -> Any:
    """A WSGI application that answers `/<target>/` as the function of that name would answer `/`."""
    from functions_framework import create_app
    from werkzeug.exceptions import NotFound
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    make: Any = create_app
    found = {f"/{target}": make(target, str(SOURCE)) for target in targets}
    print(READY, flush=True)
    return DispatcherMiddleware(NotFound(), found)


def command(address: str, targets: tuple[str, ...]) -> list[str]:
    """What serves these targets at `host:port`, as functions-framework itself does: one worker, threads."""
    import sys

    named = ", ".join(f"'{target}'" for target in targets)
    server = [sys.executable, "-m", "gunicorn", "--bind", address, "--threads", "8", "--timeout", "0"]
    return [*server, "--log-level", "warning", f"onward.local.standins.functions:application({named})"]
