"""Stands for a Spark job."""

import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
target.write_text(str(len(source.read_text().split())))
