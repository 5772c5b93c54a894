"""All stand-ins in one process: `python -m onward.local.standins CONFIG` (`Config` as JSON).

It prints `Addresses` as JSON once it serves, and later a line for each problem with an arrival. From the
first line of its input on it watches the buckets; at the end of its input it stops its jobs, and ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from onward.local.folder import StateFolder
from onward.local.ledger import Ledger
from onward.local.standins import deployment
from onward.local.standins.arrivals import Arrivals
from onward.local.standins.publisher import Faults, Publisher
from onward.local.standins.runner import Runner
from onward.local.standins.server import served
from onward.local.standins.storage import Storage
from onward.local.standins.tasks import CloudTasksStandIn, Dispatcher
from onward.local.standins.wrapped_dataflow import WrappedDataflow
from onward.local.standins.wrapped_dataproc import WrappedDataproc
from onward.local.standins.wrapped_workflows import WrappedWorkflows


class Config(msgspec.Struct, frozen=True):
    """What the stand-ins stand in for. `home` has the definitions, and gets a folder for each job."""

    state: str
    home: str
    pubsub: str
    watched: tuple[str, ...]
    clusters: tuple[str, ...]
    faults: Faults


class Addresses(msgspec.Struct, frozen=True):
    """Of all gRPC services (`host:port`), and of Cloud Storage (a URL)."""

    grpc: str
    storage: str


async def serve(config: Config) -> None:
    """Until the input ends."""
    from onward.local.buckets import Buckets
    from onward.stores.sqlite import SqliteStore

    loop = asyncio.get_running_loop()
    folder, home = StateFolder(Path(config.state)), Path(config.home)
    buckets = Buckets(folder.buckets)
    publisher = Publisher(config.pubsub, deployment.PROJECT, loop, config.faults)
    runner, dispatcher, storage = Runner(home / "jobs", buckets, loop), Dispatcher(loop), Storage(buckets)
    parent = f"projects/{deployment.PROJECT}/locations/{deployment.REGION}/workflows"
    tell = partial(publisher.publish, deployment.COMPLETIONS)
    store = SqliteStore(folder.database)
    arrivals = Arrivals(
        loop, buckets, config.watched, Ledger(store.connection), publisher, deployment.OBJECT, _say
    )
    with served(
        WrappedDataflow(runner, deployment.PROJECT, partial(publisher.publish, deployment.DATAFLOW)),
        WrappedDataproc(runner, tell, *config.clusters),
        WrappedWorkflows(runner, home / "definitions", parent, tell),
        CloudTasksStandIn(*deployment.QUEUES, dispatch=dispatcher.dispatch, ended=dispatcher.ended),
    ) as address:
        _say(msgspec.json.encode(Addresses(address, await storage.listen())).decode())
        if await _input(loop):
            arrivals.start()
            while await _input(loop):
                pass
        arrivals.stop()
        await dispatcher.close()
        await runner.stop()
    await storage.close()
    store.close()


async def _input(loop: asyncio.AbstractEventLoop) -> bytes:
    """The next piece of the input; empty at its end."""
    readable = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), readable.set)
    await readable.wait()
    loop.remove_reader(sys.stdin.fileno())
    return os.read(sys.stdin.fileno(), 4096)


def _say(line: str) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more, and the input has ended, or will
        print(line, flush=True)


if __name__ == "__main__":
    # Whoever started it says when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=Config)))
