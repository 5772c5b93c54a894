"""Publishes the platform's notices to the Pub/Sub emulator: once each, or as badly as it is told to."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from typing import Annotated

import msgspec

from onward.local.standins.notices import Notice

SECONDS = 20.0
"""How long the emulator may take."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What share of the notices meets which fate; that of a topic's n-th follows from the seed."""

    seed: int = 0
    lost: Share = 0.0
    """Only of those about jobs: nothing but its notice ever tells of an object."""
    doubled: Share = 0.0
    delayed: Share = 0.0
    longest: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """Seconds of delay, at most."""


class Publisher:
    """Publishes in the loop's own time. `address` is the emulator's."""

    def __init__(self, address: str, project: str, loop: asyncio.AbstractEventLoop, faults: Faults) -> None:
        import grpc  # type: ignore[import-untyped]
        from google.pubsub_v1.services.publisher import PublisherClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        transport = PublisherGrpcTransport(channel=grpc.insecure_channel(address))
        self._client = PublisherClient(transport=transport)
        self._project = project
        self._loop = loop
        self._faults = faults
        self._fates: dict[str, random.Random] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def publish(self, topic: str, notice: Notice, done: Callable[[], None] = lambda: None) -> None:
        """Returns at once; `done` is called in the loop when the emulator has (all copies of) it.

        May be called from any thread.
        """
        self._loop.call_soon_threadsafe(self._publish, topic, notice, done)

    def _publish(self, topic: str, notice: Notice, done: Callable[[], None]) -> None:
        task = self._loop.create_task(self._send_all(topic, notice, done))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send_all(self, topic: str, notice: Notice, done: Callable[[], None]) -> None:
        await asyncio.gather(*(self._send(topic, notice, delay) for delay in self._delays(topic, notice)))
        done()

    def _delays(self, topic: str, notice: Notice) -> list[float]:
        """After how many seconds each copy of the notice goes out."""
        faults = self._faults
        fate = self._fates.setdefault(topic, random.Random(f"{faults.seed} {topic}"))
        lost, doubled, *delayed = (fate.random() for _ in range(4))
        if lost < faults.lost and "bucketId" not in notice.attributes:
            delays = []
        else:
            delays = [
                each / faults.delayed * faults.longest if each < faults.delayed else 0.0
                for each in delayed[: 2 if doubled < faults.doubled else 1]
            ]
        if delays != [0.0]:
            print(f"{topic}: {notice.about} goes out after {delays} seconds", file=sys.stderr, flush=True)
        return delays

    async def _send(self, topic: str, notice: Notice, delay: float) -> None:
        from google.pubsub_v1.types import PublishRequest, PubsubMessage

        await asyncio.sleep(delay)
        request = PublishRequest(
            topic=f"projects/{self._project}/topics/{topic}",
            messages=[PubsubMessage(data=notice.data, attributes=dict(notice.attributes))],
        )
        await asyncio.to_thread(self._client.publish, request, timeout=SECONDS)
