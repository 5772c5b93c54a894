"""The rules of a run as a whole: its start, its cancel, its sweeps, its end.

A sweep reaches the nodes of a run in one way, whatever it is for: find a transition's width of them, act on
each, and go on while there are more. `watch` is the net under every run: one timer at a time, set before the
run exists, looks at what is overdue. After the run's end the same timer waits for the horizon and then
removes the run's documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from onward.core import admission, limits
from onward.core.attempts import MARGIN, SUBMIT_WINDOW
from onward.core.backfill import Backfill, of_trigger
from onward.core.commands import Delete, Find, Put, SetTimer
from onward.core.draft import Draft
from onward.core.events import (
    Admitted,
    Bell,
    CancelNode,
    CancelRun,
    Found,
    LookAtBackfill,
    RunEnded,
    StartRun,
    Sweep,
    TurnedAway,
    Wake,
)
from onward.core.gates import runs_gate
from onward.core.horizon import HORIZON, LONGEST_TIMER
from onward.core.naming import timer_name, try_number
from onward.core.pipeline import DAY, HOUR, MINUTE, ON_FAILURE
from onward.core.plan import WIDTH
from onward.core.state import BackfillKey, Backoff, NodeKey, Run, RunKey, Running, RunState, Submitting

WATCH = HOUR
QUEUED_WATCH = DAY
"""Of a run that waits for admission: whoever leaves the gate says so."""
SHORTEST_WATCH = MINUTE


def start(draft: Draft, event: StartRun) -> None:
    """Create the run, with its net set first. A repeated start only goes on where the first one stopped."""
    if draft.run is not None:
        if draft.run.state is RunState.QUEUED:
            admission.ask(draft, draft.run, net=True)
        wait_for_limit(draft, draft.run)
        _ring_other_backfill(draft, draft.run, event)
        return
    if not _tied_to_its_step(draft, event) or _belongs_to_what_has_stopped(draft, event):
        return
    run = Run(event.pipeline, event.plan, RunState.RUNNING, draft.now, event.params, event.trigger)
    if admission.must_wait(draft, event):
        run = admission.queue(draft, run)
    _spread_net(draft, QUEUED_WATCH if run.state is RunState.QUEUED else WATCH)
    _put(draft, run)
    wait_for_limit(draft, run)


def _spread_net(draft: Draft, wait: int) -> None:
    # Each try to create the run sets a net of its own: an earlier one's may have rung in vain by now.
    name = timer_name(draft.run_id, "", "start", draft.now)
    draft.prepare.append(SetTimer(name, draft.now + wait, Sweep(draft.run_id, "watch", 1)))


def admitted(draft: Draft) -> None:
    """The run begins, if a gate let it in."""
    run = draft.run
    assert run is not None
    begun = admission.let_in(draft, run) if run.state is RunState.QUEUED else None
    if begun is not None:
        _spread_net(draft, WATCH)
        _put(draft, begun)
    wait_for_limit(draft, begun or run)


def turned_away(draft: Draft, event: TurnedAway) -> None:
    """The run does not wait for others to end."""
    if draft.run is None:
        return
    if draft.run.state.ended:
        tell_end(draft)
    elif admission.may_turn_away(draft, event):
        end(draft, draft.run, RunState.SKIPPED, "others of its pipeline were under way")


def cancel(draft: Draft, event: CancelRun) -> None:
    """Nothing new starts from here on; what is active is swept."""
    if draft.run is None:
        return
    if draft.run.state.ended:
        tell_end(draft)
        return
    if draft.run.state is RunState.QUEUED:
        end(draft, draft.run, RunState.CANCELLED, None)
        return
    if draft.run.state is RunState.RUNNING:
        _put(draft, replace(draft.run, state=RunState.CANCELLING))
    draft.events.append(Sweep(event.run, "cancel"))


def sweep(draft: Draft, event: Sweep) -> None:
    """Look for the nodes that this sweep is about."""
    run = draft.run
    if run is None:
        return
    if run.state is RunState.QUEUED:
        draft.events.append(Admitted(event.run, None, runs_gate(run.pipeline)))
        admission.ask(draft, run, net=True)
        draft.commands.append(_timer(Sweep(event.run, "watch", event.n + 1), draft.now + QUEUED_WATCH))
    elif not run.state.ended:
        if event.purpose in ("limits", "watch"):
            run = _keep_limits(draft, run)
        if event.purpose == "limits":
            wait_for_limit(draft, run, event.n + 1)
        else:
            draft.commands.append(Find(event.run, event.purpose, event.n))
    elif event.purpose == "watch":
        _wait_for_expiry(draft, run, event.n)


def wait_for_limit(draft: Draft, run: Run, n: int = 1) -> None:
    """Have the next of the run's limits looked at when it comes."""
    at = limits.next_limit(run, draft.plan.pipeline, draft.now)
    if at is not None:
        event = Sweep(draft.run_id, "limits", n)
        draft.commands.append(_timer(event, min(at, draft.now + LONGEST_TIMER)))


def _keep_limits(draft: Draft, run: Run) -> Run:
    looked_at = limits.look(draft, run)
    if looked_at is not run:
        _put(draft, looked_at)
    if looked_at.overran:  # also if it was stopped before: that sweep may have been lost
        draft.events.append(Sweep(draft.run_id, "deadline"))
    return looked_at


def _wait_for_expiry(draft: Draft, run: Run, n: int) -> None:
    expires = (run.ended or draft.now) + HORIZON
    if draft.now < expires:
        at = min(expires, draft.now + LONGEST_TIMER)
        draft.commands.append(_timer(Sweep(draft.run_id, "watch", n + 1), at))
    else:
        draft.commands.append(Find(draft.run_id, "expire", n))


def found(draft: Draft, event: Found) -> None:
    """Act on each node; ring again while there are more."""
    run = draft.run
    if run is None:
        return
    more = len(event.nodes) >= WIDTH
    match event.purpose:
        case "watch" if run.state.ended:  # since the sweep began
            _wait_for_expiry(draft, run, event.n)
        case "watch":
            draft.events += (Wake(event.run, name) for name in event.nodes)
            at = draft.now + SHORTEST_WATCH
            if not more:
                next_due = event.next_due or draft.now + WATCH
                at = min(max(next_due, at), draft.now + WATCH)
            draft.commands.append(_timer(Sweep(event.run, "watch", event.n + 1), at))
        case "cancel" | "deadline" if not run.state.ended:
            spared = ON_FAILURE if event.purpose == "deadline" else None
            draft.events += (CancelNode(event.run, name) for name in event.nodes if name != spared)
            if more:
                draft.events.append(Sweep(event.run, event.purpose, event.n))
            else:
                at = draft.now + SUBMIT_WINDOW + MARGIN
                draft.commands.append(_timer(Sweep(event.run, event.purpose, event.n + 1), at))
        case "lanes" if not run.state.ended:
            draft.events += (Wake(event.run, name) for name in event.nodes)
        case "expire" if run.state.ended:
            for name in event.nodes:
                key = NodeKey(event.run, name)
                draft.changes[key] = Delete(key)
            if more:
                draft.events.append(Sweep(event.run, "watch", event.n))
            else:
                draft.changes[RunKey(event.run)] = Delete(RunKey(event.run))


def end(draft: Draft, run: Run, state: RunState, error: str | None) -> None:
    """The run has ended."""
    admission.leave_run(draft, run)
    _put(draft, replace(run, state=state, ended=draft.now, error=error))
    tell_end(draft)


def parent(trigger: Mapping[str, Any]) -> Bell | None:
    """What to tell the step whose job this run is, when it ends."""
    match trigger:
        case {"on": "run", "run": str(run), "step": str(step), "attempt": int(attempt)}:
            return Bell(run, step, attempt)
        case _:
            return None


def tell_end(draft: Draft) -> None:
    """Of a run that has ended, and again when it is asked about later: those hear of it who wait for it."""
    run = draft.run
    assert run is not None
    bell = parent(run.trigger)
    if bell is not None:
        draft.events.append(bell)
    if draft.context.followed(run.pipeline):
        draft.events.append(RunEnded(draft.run_id, run.pipeline, run.state, run.params, run.trigger))
    _look_at_backfill(draft, run.trigger)


def _ring_other_backfill(draft: Draft, run: Run, event: StartRun) -> None:
    """A backfill has started what is somebody else's run: its end would not tell that backfill."""
    if of_trigger(run.trigger) != of_trigger(event.trigger):
        _look_at_backfill(draft, event.trigger)


def _look_at_backfill(draft: Draft, trigger: Mapping[str, Any]) -> None:
    backfill = of_trigger(trigger)
    if backfill is not None:
        draft.events.append(LookAtBackfill(backfill))


def _belongs_to_what_has_stopped(draft: Draft, event: StartRun) -> bool:
    """Of a backfill that was stopped, no start that comes late begins a run."""
    name = of_trigger(event.trigger)
    found = draft.docs.get(BackfillKey(name)) if name is not None else None
    return isinstance(found, Backfill) and found.stopped is not None


def _tied_to_its_step(draft: Draft, event: StartRun) -> bool:
    """Write the step of a sub-run with it, so that it can't move on in between.

    False for a step that has moved on: nobody would stop that run.
    """
    bell = parent(event.trigger)
    if bell is None or try_number(event.run) > 1:
        return True
    node = draft.node(bell.node, run=bell.run)
    match node.phase:
        case Submitting() | Running():
            waits = node.attempt == bell.attempt
        case Backoff(attempt=attempt):  # of a submit whose answer was lost
            waits = node.attempt == bell.attempt == attempt
        case _:
            waits = False
    if waits:
        key = NodeKey(bell.run, bell.node)
        draft.changes[key] = Put(key, replace(node, job=event.run))
    return waits


def _put(draft: Draft, run: Run) -> None:
    key = RunKey(draft.run_id)
    draft.changes[key] = Put(key, run)
    draft.run = run


def _timer(event: Sweep, at: int) -> SetTimer:
    return SetTimer(timer_name(event.run, "", event.purpose, event.n), at, event)


RULES: dict[type, Callable[[Draft, Any], None]] = {
    StartRun: start,
    CancelRun: cancel,
    Sweep: sweep,
    Found: found,
    TurnedAway: turned_away,
}
