"""What names look like in a pipeline file."""

from __future__ import annotations

from onward.core.definition.shapes import Text

NAME = Text(
    wants="a name",
    pattern="[a-z][a-z0-9_-]{0,62}",
    hint="a letter, then up to 62 of a-z, 0-9, `-` and `_`",
)
IDENTIFIER = Text(
    wants="a parameter's name",
    pattern="[a-z][a-z0-9_]{0,62}",
    hint="a letter, then up to 62 of a-z, 0-9 and `_`",
)
