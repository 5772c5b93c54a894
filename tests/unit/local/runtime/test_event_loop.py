"""The in-process bus: what waits together is decided together, and no trouble loses an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from onward.core.commands import Command, Find
from onward.core.errors import Unavailable
from onward.core.events import Event, Found, Submitted, Wake
from onward.engine import Turn
from onward.local.loop import CARRY_OUT_DELAY, EventLoop


class Engine:
    """Records its turns; raises what it is told to first."""

    def __init__(self, *errors: Exception) -> None:
        self.turns: list[list[Event]] = []
        self.errors = list(errors)
        self.reports: dict[Event, list[Event]] = {}

    def turn(self, events: Sequence[Event]) -> Turn:
        if self.errors:
            raise self.errors.pop(0)
        self.turns.append(list(events))
        return Turn([report for event in events for report in self.reports.get(event, [])])


A, B, BAD = Wake("run", "a"), Wake("run", "b"), Wake("run", "bad")


def play(engine: Engine, events: list[Event]) -> tuple[list[str], int]:
    """Post the events, wait until each is done; what was said, and how many were done."""
    said: list[str] = []

    async def main() -> int:
        loop = EventLoop(engine, asyncio.get_running_loop(), said.append)  # type: ignore[arg-type]
        all_done = asyncio.Event()
        count = [0]

        def done() -> None:
            count[0] += 1
            if count[0] == len(events):
                all_done.set()

        loop.post(events, done)
        await asyncio.wait_for(all_done.wait(), 60)
        await asyncio.sleep(0)
        loop.close()
        return count[0]

    return said, asyncio.run(main())


def test_events_that_wait_together_share_a_turn() -> None:
    engine = Engine()
    play(engine, [A, B])
    assert engine.turns == [[A, B]]


def test_events_are_kept_in_order_until_a_store_that_does_not_answer_answers_again() -> None:
    engine = Engine(Unavailable("the disk is full"))
    said, done = play(engine, [A, B])
    assert engine.turns == [[A, B]]
    assert done == 2
    assert said == ["the disk is full; trying again in 1 s"]


def test_an_event_that_can_not_be_decided_keeps_no_other_from_it() -> None:
    class Picky(Engine):
        def turn(self, events: Sequence[Event]) -> Turn:
            if BAD in events:
                raise ZeroDivisionError("a bug")
            return super().turn(events)

    engine = Picky()
    said, done = play(engine, [A, BAD, B])
    assert engine.turns == [[A], [B]]
    assert done == 3
    assert "a bug" in said[0]


def test_a_settle_goes_with_the_next_turn() -> None:
    engine = Engine()
    settle = Submitted("run", "a", 1, "job")
    engine.reports = {A: [settle]}

    async def main() -> None:
        loop = EventLoop(engine, asyncio.get_running_loop(), print)  # type: ignore[arg-type]
        first, second = asyncio.Event(), asyncio.Event()
        loop.post([A], first.set)
        await first.wait()
        loop.post([B], second.set)
        await asyncio.wait_for(second.wait(), 60)
        loop.close()

    asyncio.run(main())
    assert engine.turns == [[A], [settle, B]]


def test_a_settle_that_finds_no_company_goes_alone() -> None:
    engine = Engine()
    settle = Submitted("run", "a", 1, "job")
    settled = asyncio.Event()

    class Watched(Engine):
        def turn(self, events: Sequence[Event]) -> Turn:
            if events == [settle]:
                settled.set()
            return super().turn(events)

    engine = Watched()
    engine.reports = {A: [settle]}

    async def main() -> None:
        loop = EventLoop(engine, asyncio.get_running_loop(), print)  # type: ignore[arg-type]
        loop.post([A])
        await asyncio.wait_for(settled.wait(), 60)
        loop.close()

    asyncio.run(main())
    assert engine.turns == [[A], [settle]]


def test_a_command_that_could_not_be_carried_out_is_tried_again() -> None:
    command = Find("run", "watch", 1)
    found = Found("run", "watch", 1, ())
    tried: list[Sequence[Command]] = []

    class Left(Engine):
        def turn(self, events: Sequence[Event]) -> Turn:
            super().turn(events)
            return Turn((), Unavailable("no answer"), [command]) if events == [A] else Turn(())

        def carry_out(self, commands: Sequence[Command]) -> Turn:
            tried.append(commands)
            return Turn([found])

    engine = Left()

    async def main() -> None:
        aio = asyncio.get_running_loop()
        delays: list[float] = []
        later = aio.call_later

        def soon(delay: float, call: Callable[..., object], *args: object) -> asyncio.TimerHandle:
            delays.append(delay)
            return later(0, call, *args)

        aio.call_later = soon  # type: ignore[method-assign, assignment]
        loop = EventLoop(engine, aio, print)  # type: ignore[arg-type]
        loop.post([A])
        while len(engine.turns) < 2:
            await asyncio.sleep(0)
        loop.close()
        assert delays == [CARRY_OUT_DELAY]

    asyncio.run(main())
    assert tried == [[command]]
    assert engine.turns == [[A], [found]]


def test_a_loop_that_is_closed_does_nothing_more_with_what_waited() -> None:
    class Unlucky(Engine):
        def turn(self, events: Sequence[Event]) -> Turn:
            return super().turn(events)._replace(left=[Find("run", "any", 1)])

        def carry_out(self, commands: Sequence[Command]) -> Turn:
            raise AssertionError(commands)

    engine = Unlucky()
    settle = Submitted("run", "a", 1, "job")
    engine.reports = {A: [settle]}
    later: list[Callable[[], None]] = []

    async def main() -> None:
        aio = asyncio.get_running_loop()

        def note(_: float, call: Callable[..., None], *args: object) -> None:
            later.append(lambda: call(*args))

        aio.call_later = note  # type: ignore[method-assign, assignment]
        loop = EventLoop(engine, aio, lambda _: None)  # type: ignore[arg-type]
        loop.post([A])
        await asyncio.sleep(0)
        loop.close()
        loop.post([B])
        loop.post_now([B])
        for each in later:
            each()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert (engine.turns, len(later)) == ([[A]], 2)
