"""A pipeline's steps as an SVG picture: levels from left to right, edges that go around what they pass.

An edge over more than one level has a place of its own in each level between, so that it crosses no box. The
places of a level are ordered by the mean place of their neighbours, which leaves few crossings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from onward.core.pipeline import Pipeline
from onward.graphs import levels, starts

_MARGIN = 24
_COLUMN, _ROW = 72, 20
"""Between boxes, in pixels."""
_HEIGHT = 46
_CHARACTER = 8
_PASSES = 8
_COLOURS = {
    "dataflow": ("#e3f2fd", "#1565c0"),
    "dataproc": ("#fff3e0", "#e65100"),
    "workflow": ("#e8f5e9", "#2e7d32"),
    "python": ("#fffde7", "#9a6700"),
    "start": ("#f5f5f5", "#757575"),
}
_OTHER = ("#f3e5f5", "#6a1b9a")


class Box(NamedTuple):
    """A step, or what starts the run; `lines` is what it says."""

    name: str
    kind: str
    lines: tuple[str, ...]


Place = tuple[int, str]
"""A level, and what is there: a box's name, or the name of an edge that passes."""


def svg(pipeline: Pipeline) -> str:
    """The picture, as a file of its own."""
    return _Picture(*_graph(pipeline)).draw()


def _graph(pipeline: Pipeline) -> tuple[list[list[Box]], list[tuple[str, str]]]:
    """The boxes by level, and the edges between them. What starts the run is named `~0`, `~1`, …"""
    found = levels(pipeline)
    columns = [[Box(step.name, step.kind, (step.name, step.kind)) for step in level] for level in found]
    edges = [(need, step.name) for step in pipeline.steps for need in dict.fromkeys(step.needs)]
    triggers = [Box(f"~{number}", "start", (start,)) for number, start in enumerate(starts(pipeline))]
    if triggers:
        columns.insert(0, triggers)
        edges += [(trigger.name, step.name) for trigger in triggers for step in found[0]]
    return columns, edges


class _Picture:
    def __init__(self, columns: Sequence[Sequence[Box]], edges: Iterable[tuple[str, str]]) -> None:
        self._boxes = {box.name: box for column in columns for box in column}
        level = {box.name: number for number, column in enumerate(columns) for box in column}
        self._ways = [_way(start, end, level) for start, end in edges]
        passing: list[list[str]] = [[] for _ in columns]
        for way in self._ways:
            for number, name in way[1:-1]:
                passing[number].append(name)
        self._levels = [
            [*(box.name for box in column), *names] for column, names in zip(columns, passing, strict=True)
        ]
        self._order()
        self._place()

    def _order(self) -> None:
        """Sweep to and fro, each level by the mean place of its neighbours in the one before."""
        neighbours: dict[Place, list[Place]] = defaultdict(list)
        for way in self._ways:
            for one, other in pairwise(way):
                neighbours[one].append(other)
                neighbours[other].append(one)
        count = len(self._levels)
        for sweep in range(_PASSES):
            forth = sweep % 2 == 0
            for number in range(1, count) if forth else range(count - 2, -1, -1):
                before = number - 1 if forth else number + 1
                place = {(before, name): at for at, name in enumerate(self._levels[before])}
                mean = {}
                for at, name in enumerate(self._levels[number]):
                    known = [place[other] for other in neighbours[number, name] if other in place]
                    mean[name] = sum(known) / len(known) if known else at
                self._levels[number].sort(key=mean.__getitem__)

    def _place(self) -> None:
        """Columns as wide as their widest box; each level in the middle of the picture's height."""
        self._x: list[int] = []
        self._widths: list[int] = []
        self._y: dict[Place, int] = {}
        tallest = max(self._tall(level) for level in self._levels)
        at = _MARGIN
        for number, level in enumerate(self._levels):
            width = max(_width(self._boxes[name]) for name in level if name in self._boxes)
            self._x.append(at)
            self._widths.append(width)
            y = _MARGIN + (tallest - self._tall(level)) // 2
            for name in level:
                height = self._height(name)
                self._y[number, name] = y + height // 2
                y += height + _ROW
            at += width + _COLUMN
        self._size = at - _COLUMN + _MARGIN, tallest + 2 * _MARGIN

    def _tall(self, level: Sequence[str]) -> int:
        return sum(self._height(name) for name in level) + _ROW * (len(level) - 1)

    def _height(self, name: str) -> int:
        return _HEIGHT if name in self._boxes else 0

    def draw(self) -> str:
        width, height = self._size
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
                f' height="{height}" font-family="system-ui, sans-serif" font-size="13">',
                '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7"'
                ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8Z" fill="#78909c"/></marker></defs>',
                f'<rect width="{width}" height="{height}" fill="#fff"/>',
                '<g fill="none" stroke="#78909c" stroke-width="1.5">',
                *(self._edge(way) for way in self._ways),
                "</g>",
                *self._drawn_boxes(),
                "</svg>\n",
            ]
        )

    def _edge(self, way: Sequence[Place]) -> str:
        """From the right side of a box to the left side of another, level where it passes a column."""
        path = ""
        for (one, start), (other, end) in pairwise(way):
            x1, y1 = self._x[one] + self._widths[one], self._y[one, start]
            x2, y2 = self._x[other], self._y[other, end]
            middle = (x1 + x2) // 2
            path += f"{'L' if path else 'M'}{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
        return f'<path d="{path}" marker-end="url(#arrow)"/>'

    def _drawn_boxes(self) -> Iterator[str]:
        for number, level in enumerate(self._levels):
            for name in level:
                if box := self._boxes.get(name):
                    yield _drawn(box, self._x[number], self._y[number, name], self._widths[number])


def _way(start: str, end: str, level: Mapping[str, int]) -> list[Place]:
    between = range(level[start] + 1, level[end])
    return [(level[start], start), *((number, f"{start}→{end}") for number in between), (level[end], end)]


def _width(box: Box) -> int:
    return max(110, max(map(len, box.lines)) * _CHARACTER + 28)


def _drawn(box: Box, x: int, y: int, width: int) -> str:
    fill, stroke = _COLOURS.get(box.kind, _OTHER)
    rx = _HEIGHT // 2 if box.kind == "start" else 6
    parts = [
        f'<rect x="{x}" y="{y - _HEIGHT // 2}" width="{width}" height="{_HEIGHT}" rx="{rx}"'
        f' fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
    ]
    centre = x + width // 2
    styles = (' font-weight="600"', f' font-size="11" fill="{stroke}"')
    for line, style, lift in zip(box.lines, styles, (-3, 13) if len(box.lines) > 1 else (4,), strict=False):
        parts.append(f'<text x="{centre}" y="{y + lift}" text-anchor="middle"{style}>{escape(line)}</text>')
    return "\n".join(parts)
