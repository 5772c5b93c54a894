"""The `onward` command: its options, its commands, and what becomes of errors.

Importing this imports click alone: what a command needs is imported when it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from onward.cli import backfilling, demo, features, files, looking, running, steering, up
from onward.cli.compile import compile_
from onward.cli.interruption import Left
from onward.cli.places import STATE, WORKFLOWS, Places
from onward.core.errors import OnwardError, UserError

WRONG_USE = 2
INTERRUPTED = 130
_EXIT_CODES = """\b
Exit codes:
  0  it worked; of `run` and `retry`: the run succeeded
  1  the run failed or was cancelled, or something is in the way that may pass
  2  wrong use, a wrong value or an invalid pipeline
  130, 143  interrupted; the run is where it was
"""


class _Ordered(click.Group):
    """Lists its commands as they were added: what one needs first comes first."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's own
        return list(self.commands)


@click.group(
    cls=_Ordered,
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--workflows",
    type=click.Path(path_type=Path),
    default=WORKFLOWS,
    envvar="ONWARD_WORKFLOWS",
    show_default=True,
    show_envvar=True,
    help="The folder of pipelines.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=STATE,
    envvar="ONWARD_STATE",
    show_default=True,
    show_envvar=True,
    help="The folder of runs and buckets.",
)
@click.version_option(package_name="onward", message="onward %(version)s")
@click.pass_context
def cli(context: click.Context, workflows: Path, state: Path) -> None:
    """Drop a file, the pipeline runs. A job ends, the next one starts. Nothing waits in between.

    \b
    onward up                                start what arrives in the buckets, until Ctrl-C
    onward run weather -p date=2013-06-30    one run, to its end
    """
    context.obj = Places(workflows, state)


for command in (
    up.up,
    running.run,
    running.publish,
    looking.runs,
    looking.sets,
    looking.show,
    looking.logs,
    running.cancel,
    running.retry,
    backfilling.backfill,
    backfilling.backfills,
    backfilling.stop_backfill,
    steering.pipelines,
    steering.pause,
    steering.resume,
    files.validate,
    compile_,
    files.graph,
    files.schema,
    features.features,
    files.version,
    demo.demo,
):
    cli.add_command(command)


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        sys.exit(_main())
    except BrokenPipeError:
        # Nobody reads on. Python would complain at its end, when it can't flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


def _main() -> int:
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and error.option_name in ("--state", "--workflows"):
            click.echo(f"It stands before the command: onward {error.option_name} FOLDER ...", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OnwardError as error:
        return _explain(error)
    except Left as left:
        click.echo(left, err=True)
        return left.exit_code
    return code or 0


def _explain(error: OnwardError) -> int:
    from onward.cli.text import safe

    for line in safe(str(error)).split("\n"):
        click.echo(f"onward: {line}", err=True)
    return WRONG_USE if isinstance(error, UserError) else 1
