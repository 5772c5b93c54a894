"""Whether one object could match two globs: a walk through both at once.

A glob is read as in `matching`, over a whole URI (`gs://bucket/name`), and more leniently, as outputs are:
what can't be read stands for itself, and `**` or ANYTHING within a part is any text, slashes included.
The answer is exact: each glob becomes a small automaton, and the two have a common word if a walk reaches
both ends. It takes time in proportion to the product of their lengths, and mostly far less.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from onward.core import matching

ANYTHING = "\0"
"""In a glob: any text, also none, whatever stands beside it."""

GLOB = re.compile(
    r"""
      (?P<parts> (?<=/) \*\*/ )             # any number of whole parts
    | (?P<anything> \*\* | \0 )
    | (?P<some> (?<=/) \* (?=/|\Z) | \{[a-z][a-z0-9_]*\} )   # text within a part, at least a character
    | (?P<any> \* )                         # text within a part
    | (?P<one> \? )
    | (?P<chosen> \[ !? \]? [^\]/]* \] )
    | (?P<char> . )
    """,
    re.DOTALL | re.VERBOSE,
)
CHAR, WITHIN, SLASH = ".", "[^/]", "/"

Move = tuple[str | None, int]
"""What it takes, as a regular expression for one character (None: nothing), and the state it leads to."""


class Automaton(msgspec.Struct, frozen=True):
    """What a glob matches: from state 0 to the last one. `moves` are those of each state."""

    moves: tuple[tuple[Move, ...], ...]

    def meets(self, other: Automaton) -> bool:
        """Whether both match some text."""
        ends = (len(self.moves) - 1, len(other.moves) - 1)
        seen = {(0, 0)}
        waiting = [(0, 0)]
        while waiting and ends not in seen:
            ours, theirs = waiting.pop()
            for pair in _together(ours, self.moves[ours], theirs, other.moves[theirs]):
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)
        return ends in seen


def _together(
    ours: int, our_moves: tuple[Move, ...], theirs: int, their_moves: tuple[Move, ...]
) -> list[tuple[int, int]]:
    """The pairs of states that one move, or one move of each over the same character, leads to."""
    pairs = [(to, theirs) for chars, to in our_moves if chars is None]
    pairs += [(ours, to) for chars, to in their_moves if chars is None]
    for mine, here in our_moves:
        for yours, there in their_moves:
            if mine is not None and yours is not None and _share(mine, yours):
                pairs.append((here, there))
    return pairs


@lru_cache(16_384)
def _share(one: str, other: str) -> bool:
    """Whether some character is taken by both.

    Each takes some ranges of characters. Where two ranges overlap, one of them begins: at a character that is
    written, behind one that is excluded, or at the very first.
    """
    if one == other:
        return True
    written = {*one, *other}
    candidates = {"\0", *written, *(chr(ord(char) + 1) for char in written if ord(char) < 0x10FFFF)}
    return any(
        re.fullmatch(one, char, re.DOTALL) and re.fullmatch(other, char, re.DOTALL) for char in candidates
    )


def automaton(glob: str) -> Automaton:
    moves: list[list[Move]] = [[]]

    def add(chars: str | None, to: int) -> None:
        moves[-1].append((chars, to))

    for found in GLOB.finditer(glob):
        here = len(moves) - 1
        match found.lastgroup:
            case "parts":
                add(None, here + 2)
                add(None, here + 1)
                moves.append([(CHAR, here + 1), (SLASH, here + 2)])
                moves.append([])
            case "anything":
                add(CHAR, here)
            case "any":
                add(WITHIN, here)
            case "some":
                add(WITHIN, here + 1)
                moves.append([(WITHIN, here + 1)])
            case "one":
                add(WITHIN, here + 1)
                moves.append([])
            case "chosen":
                add(_chosen(found[0]), here + 1)
                moves.append([])
            case _:
                add(re.escape(found[0]), here + 1)
                moves.append([])
    return Automaton(tuple(map(tuple, moves)))


def _chosen(text: str) -> str:
    """Never a slash. What can't be read as a range may be anything else."""
    found = matching.CLASS.fullmatch(text)
    chars = f"(?!/){matching.chosen(found)}" if found else WITHIN
    try:
        re.compile(chars)
    except re.error:
        return WITHIN
    return chars
