"""The reference says all that there is, and nothing else: its tables are held against those of the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import pytest
from onward.cli.main import cli
from onward.core import matching, params, templates
from onward.core.definition.grammar import PIPELINE
from onward.core.definition.records import Field, Listing, Named, Record
from onward.core.definition.shapes import Shape, Span, Whole
from onward.core.pipeline import PARAM_TYPES
from onward.core.sandbox import METHODS, environment
from onward.local import endpoint, folder

DOCS = Path(__file__).parents[2] / "docs"
PIPELINES = (DOCS / "pipelines.md").read_text()
COMMANDS = (DOCS / "command-line.md").read_text()


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, f"no heading {title}"
    return found[1]


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table's rows, without its head."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[_cells(line) for line in table.splitlines()[2:]] for table in found]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip("|\n"))
    return [cell.replace(r"\|", "|").strip() for cell in cells]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def records(shape: Shape, at: tuple[str, ...] = ()) -> Iterator[tuple[str, Record]]:
    """Every record of the grammar, by the key that holds it."""
    match shape:
        case Record(fields=fields):
            named = [key for key in at if key != "*"]
            # A step may be a run of a pipeline, and a trigger wait for the end of one.
            title = "trigger.pipeline" if at == ("trigger", "pipeline") else named[-1] if named else ""
            yield title, shape
            for key, field in fields.items():
                yield from records(field.shape, (*at, key))
        case Named(item=item):
            yield from records(item, (*at, "*"))
        case Listing(item=item):
            yield from records(item, at)


RECORDS = [(f"`{key}`" if key else "The file", record) for key, record in records(PIPELINE)]


@pytest.mark.parametrize(("title", "record"), RECORDS, ids=[title for title, _ in RECORDS])
def test_the_keys_of_a_mapping_are_those_of_its_table(title: str, record: Record) -> None:
    told = {code(row[0])[0]: row[1] for row in tables(section(PIPELINES, title))[0]}
    assert sorted(told) == sorted(record.fields)
    for key, field in record.fields.items():
        must = field.required or record.one_of == (key,)
        assert told[key].startswith("required") == must, key
        for bound in bounds(field):
            assert bound in told[key], f"{key}: {bound}"


def bounds(field: Field) -> list[str]:
    match field.shape:
        case Span(least=least, most=most):
            return [least, most]
        case Whole(least=fewest, most=many):
            return [f"{fewest:,}", f"{many:,}"]
        case _:
            return []


def test_every_type_of_parameter_is_shown_with_a_value() -> None:
    rows = tables(section(PIPELINES, "Types"))[0]
    assert [code(row[0])[0] for row in rows] == list(PARAM_TYPES)
    for type_, given, kept, _ in rows:
        assert params.parse(code(type_)[0], code(given)[0]) == json.loads(code(kept)[0])


def test_every_pattern_captures_what_the_page_says() -> None:
    for pattern, name, result in tables(section(PIPELINES, "`object`"))[2]:
        captured = matching.compile(code(pattern)[0]).match(code(name)[0])
        told: dict[str, dict[str, str] | None] = {"no match": None, "a match": {}}
        wanted = told[result] if result in told else dict(pair.split("=") for pair in code(result)[0].split())
        assert captured == wanted, f"{pattern} {name}"


def test_every_template_gives_what_the_page_says() -> None:
    context = {"day": date(2026, 11, 22), "count": 3, "names": ["a", "b"]}
    for template, gives in tables(section(PIPELINES, "Templates"))[1]:
        assert templates.render(code(template)[0], context) == json.loads(code(gives)[0]), template


def test_all_filters_and_methods_are_listed() -> None:
    assert code(section(PIPELINES, "Filters")) == sorted(environment().filters)
    listed = [sorted(code(row[1])) for row in tables(section(PIPELINES, "Methods"))[0]]
    assert listed == [sorted(names.split()) for names in METHODS.values()]


COMMAND_LINES = {f"`{name}`": command for name, command in cli.commands.items()} | {"Before the command": cli}


@pytest.mark.parametrize("title", COMMAND_LINES)
def test_the_options_and_arguments_of_a_command_are_those_of_its_section(title: str) -> None:
    command, text = COMMAND_LINES[title], section(COMMANDS, title)
    told = {word for table in tables(text)[:1] for row in table for word in re.findall(r"--?[a-z-]+", row[0])}
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert told == {spelling for option in options for spelling in option.opts}
    usage = re.findall(rf"^    onward {command.name} .*$", text, re.MULTILINE)
    for param in command.params:
        if isinstance(param, click.Argument):
            assert param.human_readable_name in usage[0], param.name


def test_every_route_of_the_endpoint_is_told() -> None:
    routes = re.findall(r"^ +(GET|POST) +([^\s?]+)", endpoint.__doc__ or "", re.MULTILINE)
    rows = tables(section(COMMANDS, "The HTTP endpoint"))[0]
    assert {code(row[0])[0].partition("?")[0] for row in rows} == {" ".join(route) for route in routes}


def test_everything_in_the_state_folder_is_told() -> None:
    names = re.findall(r"^(\S+)  +\S", folder.__doc__ or "", re.MULTILINE)
    assert {code(row[0])[0] for row in tables(section(COMMANDS, "The state folder"))[0]} == set(names)
