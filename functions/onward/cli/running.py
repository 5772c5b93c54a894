"""The commands that change something: run, publish, cancel, retry."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.local.topics import Message, Published

SUCCEEDED, FAILED = 0, 1

json_option = click.option(
    "--json", "as_json", is_flag=True, help="End with the run as one JSON object; progress goes to stderr."
)


@click.command()
@click.argument("pipeline")
@click.option(
    "-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."
)
@click.option("--key", help="Makes the start repeatable: the same pipeline and key are the same run.")
@click.option("--force", is_flag=True, help="Run also the steps whose outputs are there (`unless_exists`).")
@json_option
@click.pass_obj
def run(  # noqa: PLR0913, PLR0917 - click gives each option by itself
    places: Places, pipeline: str, given: tuple[str, ...], key: str | None, force: bool, as_json: bool
) -> int:
    """Start a run of PIPELINE and show it to its end.

    Its exit code is the run's. Where a runtime is at work already (`onward up`, or another `onward run`),
    that one carries the run; else this command does.
    """
    from onward.local.topics import START

    body: dict[str, Any] = {
        "pipeline": pipeline,
        "params": assignments(given, "-p"),
        "key": key or secrets.token_hex(16),
    }
    if force:
        body["force"] = True
    ended = _show(places, START, _message(body), as_json=as_json)
    return SUCCEEDED if ended["state"] == "succeeded" else FAILED


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--newest-plan", is_flag=True, help="Use the pipeline as it is now, not as it was when RUN began."
)
@json_option
@click.pass_obj
def retry(places: Places, run_id: str, newest_plan: bool, as_json: bool) -> int:
    """Try RUN again as a new run, and show that to its end.

    What succeeded is taken over, not run again.
    """
    ended = _command(places, run_id, as_json=as_json, command="retry", newest_plan=newest_plan)
    return SUCCEEDED if ended["state"] == "succeeded" else FAILED


@click.command()
@click.argument("run_id", metavar="RUN")
@json_option
@click.pass_obj
def cancel(places: Places, run_id: str, as_json: bool) -> int:
    """Stop RUN and its jobs, and wait until it has ended.

    The exit code is 0 when it ended cancelled, 1 when it had ended otherwise before that.
    """
    from onward.cli.reading import reading

    with reading(places) as state:
        before = state.views.details(state.find(run_id))
        if before["ended"] and as_json:
            click.echo(json.dumps(state.views.run(before["run"])))
    if before["ended"] and not as_json:
        click.echo(f"run {before['run']} had ended before: {before['state']}")
    ended = before if before["ended"] else _command(places, run_id, as_json=as_json, command="cancel")
    return SUCCEEDED if ended["state"] == "cancelled" else FAILED


@click.command()
@click.argument("topic")
@click.option(
    "--data", default="", metavar="JSON|@FILE", help="The message, or where it is; @- is the input."
)
@click.option("--attribute", "given", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.pass_obj
def publish(places: Places, topic: str, data: str, given: tuple[str, ...]) -> int:
    """Publish a message to TOPIC: a pipeline's, onward-start or onward-command.

    Returns when what it asks for is committed. Where no runtime is at work, this command is one until its
    runs have ended. The exit code is 0 once the message is taken, whatever becomes of them.

    \b
    onward publish orders --data '{"id": 17}' --attribute kind=new
    onward publish onward-start --data '{"pipeline": "weather", "params": {"date": "2013-06-30"}}'
    onward publish onward-command --data '{"command": "cancel", "run": "..."}'
    """
    from onward.cli.carrying import Carrier
    from onward.cli.progress import progress, say
    from onward.local.topics import Message

    message = Message(_data(data), assignments(given, "--attribute"))
    with Carrier(places, say) as carrier, progress(quiet=True) as shown:
        told = False
        for details in carrier.carry(topic, message):
            told = told or _tell(carrier.published)
            if not carrier.here:
                break
            shown.show(details)
        if not told:
            _tell(carrier.published)
    return SUCCEEDED


def _tell(published: Published | None) -> bool:
    if published is not None:
        runs = [f"run {run}" for run in published.runs]
        click.echo(f"message {published.id}: {' and '.join(runs) or 'no run'}")
    return published is not None


def _command(places: Places, run_id: str, *, as_json: bool, **command: Any) -> dict[str, Any]:
    from onward.cli.reading import reading
    from onward.local.topics import COMMAND

    with reading(places) as state:
        command["run"] = state.find(run_id)
    return _show(places, COMMAND, _message(command), as_json=as_json)


def _show(places: Places, topic: str, message: Message, *, as_json: bool) -> dict[str, Any]:
    """Publish, and show the run that it is about to its end. Returns it as scripts see it."""
    from onward.cli.carrying import Carrier
    from onward.cli.progress import progress, say
    from onward.cli.reading import reading

    with Carrier(places, say) as carrier:
        with progress(quiet=as_json) as shown:
            for details in carrier.carry(topic, message):
                shown.show(details)
        if as_json:
            with reading(places) as state:
                click.echo(json.dumps(state.views.run(details["run"])))
        else:
            from onward.cli.render import ending, show

            show(ending(details, places))
    return details


def _message(body: dict[str, Any]) -> Message:
    from onward.local.topics import Message

    return Message(json.dumps(body).encode())


def assignments(given: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {text!r}")
        if name in pairs:
            raise click.UsageError(f"{option} gives {name!r} twice")
        pairs[name] = value
    return pairs


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"--data {text} can't be read: {error.strerror}") from None
