"""Timers as Cloud Tasks: one named task each, which calls `on_timer` with the timer as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from onward.core.commands import SetTimer
from onward.core.errors import Unavailable
from onward.core.horizon import LONGEST_TIMER
from onward.core.pipeline import HOUR
from onward.ports import Clock

if TYPE_CHECKING:
    from google.cloud.tasks_v2 import CloudTasksClient, Task

SECONDS = 10.0
"""How long setting a timer may take."""
EARLY = HOUR
"""A timer that rings with no more than this to go is not on its way any more: it rings."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CloudTasks:
    """See `ports.Timers`. `queue` is a full name; tasks call `url` as `account`."""

    def __init__(
        self,
        queue: str,
        url: str,
        account: str,
        clock: Clock,
        connect: Callable[[], CloudTasksClient] | None = None,
    ) -> None:
        self._queue = queue
        self._url = url
        self._account = account
        self._clock = clock
        self._connect = connect or _connect

    @cached_property
    def _client(self) -> CloudTasksClient:
        return self._connect()

    def set(self, timers: Sequence[SetTimer]) -> None:
        """See `ports.Timers`. Raises `Unavailable`."""
        from google.api_core.exceptions import AlreadyExists, GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        for timer in timers:
            try:
                # Not repeated here, and need not be: the event that set it is delivered again.
                self._client.create_task(
                    parent=self._queue, task=self._task(timer), retry=None, timeout=SECONDS
                )
            except AlreadyExists:
                pass
            except (GoogleAPIError, GoogleAuthError) as error:
                raise Unavailable(f"{self._queue} did not take a timer: {error}") from error

    def _task(self, timer: SetTimer) -> Task:
        from google.cloud import tasks_v2

        # A task is at most 30 days ahead. A longer wait goes in hops, each a task of its own name.
        hops = max(0, (timer.at - self._clock.now() - EARLY) // LONGEST_TIMER)
        name = f"{timer.name}-{hops}" if hops else timer.name
        return tasks_v2.Task(
            name=f"{self._queue}/tasks/{name}",
            schedule_time=_EPOCH + timedelta(microseconds=timer.at - hops * LONGEST_TIMER),
            http_request=tasks_v2.HttpRequest(
                url=self._url,
                headers={"content-type": "application/json"},
                body=msgspec.json.encode(timer),
                oidc_token=tasks_v2.OidcToken(service_account_email=self._account, audience=self._url),
            ),
        )


def _connect() -> CloudTasksClient:
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.tasks_v2 import CloudTasksClient
    from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

    emulator = os.environ.get("CLOUD_TASKS_EMULATOR_HOST")
    if emulator:
        import grpc  # type: ignore[import-untyped]

        return CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(emulator)))
    try:
        return CloudTasksClient()
    except GoogleAuthError as error:
        raise Unavailable(f"no credentials for Google Cloud: {error}") from error
