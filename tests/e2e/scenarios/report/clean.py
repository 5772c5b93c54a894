"""Stands for a Beam job: fails the first time."""

import os
import sys
from pathlib import Path

options = dict(option.removeprefix("--").split("=", 1) for option in sys.argv[1:])
if os.environ["ONWARD_ATTEMPT"] == "1":
    sys.exit("the first time it fails")
Path(options["output"]).write_text(Path(options["input"]).read_text().upper())
