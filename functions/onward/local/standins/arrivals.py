"""Tells of the objects that arrive in the folder buckets, as their buckets' notifications would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from onward.local.buckets import Buckets
from onward.local.ledger import Ledger
from onward.local.standins.notices import object_final
from onward.local.standins.publisher import Publisher
from onward.local.standins.storage import generation, resource
from onward.local.watcher import Arrival, Watcher


class Arrivals:
    """Publishes each object once it is final; the ledger knows those that were published before."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands between
        self,
        loop: asyncio.AbstractEventLoop,
        buckets: Buckets,
        watched: Iterable[str],
        ledger: Ledger,
        publisher: Publisher,
        topic: str,
        say: Callable[[str], None],
    ) -> None:
        self._buckets = buckets
        self._ledger = ledger
        self._publisher = publisher
        self._topic = topic
        ledger.forget_missing(lambda bucket, name: buckets.exists(f"gs://{bucket}/{name}"))
        self._watcher = Watcher(
            loop, buckets, watched, ledger.known, self._arrived, on_touched=self._touched, on_problem=say
        )

    def start(self) -> None:
        """Publish what is there and not known, and go on with what comes."""
        self._watcher.start()

    def stop(self) -> None:
        """Publish nothing more."""
        self._watcher.stop()

    def _arrived(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self._ledger.took(arrival.bucket, arrival.name, arrival.generation)
            number = generation(arrival.generation)
            said = self._buckets.metadata(arrival.bucket, arrival.name)
            described = resource(arrival.bucket, arrival.name, number, arrival.size, arrival.updated, said)
            self._publisher.publish(self._topic, object_final(described), partial(self._published, arrival))

    def _published(self, arrival: Arrival) -> None:
        self._ledger.settle(arrival.bucket, arrival.name, arrival.generation)
        self._ledger.save()

    def _touched(self, arrival: Arrival) -> None:
        self._ledger.touched(arrival.bucket, arrival.name, arrival.generation)
        self._ledger.save()
