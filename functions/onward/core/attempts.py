"""The rules of one step's attempts: submit, hear of the end, try again, stop.

Each rule takes the draft, the node's name, the node and the event, and is reached through the table in
`transition`. Delays are those of the protocol; all are microseconds.
"""

from __future__ import annotations

from msgspec.structs import replace

from onward.core.commands import CancelJob, ReadStatus, Submit
from onward.core.draft import Draft
from onward.core.events import (
    Bell,
    CancelNode,
    JobState,
    Room,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Verdict,
    Wake,
)
from onward.core.handlers import stops_with
from onward.core.naming import spread
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND, Retry, Step
from onward.core.state import (
    Backoff,
    Cancelled,
    Cancelling,
    Failed,
    Node,
    Running,
    Submitting,
    Succeeded,
)

SUBMIT_WINDOW = MINUTE
"""How long one intent may be submitted: the deadline of the submit call ends with it."""
MARGIN = 30 * SECOND
"""How long after its window a submit may still show up at the service."""
SLACK = SECOND
"""A timer may ring this much early, by another machine's clock, and still counts as due."""
FIRST_CHECK = HOUR
LONGEST_CHECK = DAY
DATAPROC_CHECKS = (2 * MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE)
"""Waits between the checks of Dataproc's jobs and deletes, doubled from there: whether their last log entry
always comes is not certain yet (docs/live-checks.md)."""
RECHECKS = (30 * SECOND, 2 * MINUTE, 10 * MINUTE)
"""A bell rang but the job was still running: the final state may lag behind the event."""
LOST_LIMIT = 3
"""How often an attempt lost with its process is repeated without using up `retry`."""


def begin(
    draft: Draft, name: str, node: Node, attempt: int, why: str = "", *, again: bool = False, lost: int = 0
) -> None:
    """Record the intent to submit this attempt."""
    phase = Submitting(draft.token, draft.now + SUBMIT_WINDOW, draft.now)
    timeout = draft.step(name).step.timeout
    timers = draft.set_timer(name, node, draft.now + timeout) if timeout else node.timers
    started = draft.now if node.started is None else node.started
    draft.move(name, node, phase, why, attempt=attempt, lost=lost, timers=timers, started=started, job=None)
    draft.commands.append(Submit(draft.run_id, name, attempt, phase.token, phase.until, again))


def take_over(draft: Draft, name: str, node: Node, event: Wake) -> None:
    """An intent that its owner can't carry out any more becomes ours; until then, somebody is at it."""
    phase = node.phase
    assert isinstance(phase, Submitting)
    if not (event.orphaned or draft.now > phase.until):
        draft.settled = False
        return
    renewed = Submitting(draft.token, draft.now + SUBMIT_WINDOW, phase.since)
    timeout = draft.step(name).step.timeout
    timers = draft.set_timer(name, node, phase.since + timeout) if timeout else node.timers
    draft.move(name, node, renewed, "nobody was submitting it any more", timers=timers)
    draft.commands.append(Submit(draft.run_id, name, node.attempt, renewed.token, renewed.until, again=True))


def settle(draft: Draft, name: str, node: Node, event: Submitted) -> None:
    """The service took the job."""
    if isinstance(node.phase, Backoff) and node.phase.attempt != node.attempt:
        late_job(draft, name, node, event)
    else:
        _running(draft, name, node, event.job)


def _running(draft: Draft, name: str, node: Node, job: str) -> None:
    phase = node.phase
    assert isinstance(phase, Submitting | Backoff)
    since = phase.since
    step = draft.step(name).step
    first = since + (step.expect_within or check_wait(step, 0))
    due, timers = _due(step, since, first), node.timers
    if due <= draft.now:  # its time was over while nobody submitted it, and that timer has rung
        timers = draft.set_timer(name, node, draft.now)
    elif first < since + FIRST_CHECK:
        timers = draft.set_timer(name, node, first)
    draft.move(name, node, Running(job, since, due), timers=timers, job=job)


def check_wait(step: Step, n: int) -> int:
    """How long to wait for the n-th status check (from 0) of a job of which nothing is heard."""
    if step.kind in ("dataproc", "cluster"):
        most = len(DATAPROC_CHECKS) - 1
        wait = DATAPROC_CHECKS[min(n, most)] << max(0, n - most)
    else:
        wait = FIRST_CHECK << max(0, n - 1)
    return min(wait, LONGEST_CHECK)


def _due(step: Step, since: int, check: int) -> int:
    return check if step.timeout is None else min(check, since + step.timeout)


def refuse(draft: Draft, name: str, node: Node, event: SubmitRefused) -> None:
    """The service would refuse another attempt just the same."""
    if _mine(node, event):
        draft.end(name, node, Failed(event.error), "refused")


def delay(draft: Draft, name: str, node: Node, event: SubmitDelayed) -> None:
    """A full quota is waiting, not failing: the attempt is not used up."""
    if _mine(node, event):
        wait = int(event.wait * (0.75 + 0.5 * spread(draft.run_id, name, str(node.timers))))
        _back_off(
            draft, name, node, Backoff(draft.now + wait, node.attempt, event.error, draft.now), "no room"
        )


def _mine(node: Node, event: SubmitDelayed | SubmitRefused) -> bool:
    """Somebody else may have taken this intent over meanwhile, and fared better."""
    return isinstance(node.phase, Submitting) and node.phase.token == event.token


def _back_off(draft: Draft, name: str, node: Node, phase: Backoff, why: str) -> None:
    timers = draft.set_timer(name, node, phase.until)
    draft.move(name, node, phase, why, timers=timers)


def resume(draft: Draft, name: str, node: Node, event: Wake | Room) -> None:
    """The wait before the next attempt may be over."""
    phase = node.phase
    assert isinstance(phase, Backoff)
    if _cancelling(draft, name):
        _give_up(draft, name, node, phase)
    elif draft.now + SLACK >= phase.until:
        lost = node.lost if phase.attempt == node.attempt else 0
        begin(draft, name, node, phase.attempt, again=phase.attempt == node.attempt, lost=lost)
    else:
        draft.repeat_timer(name, node.timers, phase.until)


def room(draft: Draft, name: str, node: Node, event: Room) -> None:
    """What this attempt was told to wait for may be there now."""
    phase = node.phase
    assert isinstance(phase, Backoff)
    if phase.attempt == node.attempt:
        resume(draft, name, replace(node, phase=replace(phase, until=draft.now)), event)


def look(draft: Draft, name: str, node: Node, event: Bell) -> None:
    """A bell is never believed: one status read says what is true."""
    if isinstance(node.phase, Backoff) and node.phase.attempt != node.attempt:
        draft.repeat_timer(name, node.timers, node.phase.until)
    else:
        draft.commands.append(ReadStatus(draft.run_id, name, event.attempt, node.job, lost=node.lost))


def check(draft: Draft, name: str, node: Node, event: Wake) -> None:
    """Is it over its time limit, or was nothing heard for too long?"""
    phase = node.phase
    assert isinstance(phase, Running)
    timeout = draft.step(name).step.timeout
    if timeout is not None and draft.now + SLACK >= phase.since + timeout:
        _stop(draft, name, node, Cancelling(draft.now, 0, True, phase.since, phase.job), "time limit")
    elif event.orphaned or draft.now + SLACK >= phase.due:
        if timeout is not None and event.orphaned:
            draft.repeat_timer(name, node.timers + 1, phase.since + timeout)
        draft.commands.append(_unasked(draft, name, node, event))


def _unasked(draft: Draft, name: str, node: Node, event: Wake) -> ReadStatus:
    asked = ReadStatus(draft.run_id, name, node.attempt, node.job, lost=node.lost)
    return replace(asked, belled=False, orphaned=event.orphaned)


def _of_an_earlier_job(node: Node, event: Verdict) -> bool:
    """It was lost, and another one has followed while that was on its way."""
    return event.state is JobState.LOST and event.lost is not None and event.lost < node.lost


def judge(draft: Draft, name: str, node: Node, event: Verdict) -> None:
    """What one status read said of a job that should be running."""
    if isinstance(node.phase, Backoff) and node.phase.attempt != node.attempt:
        return
    if _of_an_earlier_job(node, event):
        return
    match event.state:
        case JobState.SUCCEEDED:
            draft.end(name, node, Succeeded(event.output, event.output_uri), job=event.job)
        case JobState.FAILED:
            _attempt_failed(draft, name, node, event.error or "the job failed without a reason")
        case JobState.CANCELLED:
            draft.end(name, node, Failed(event.error or "its job was cancelled from outside"), "cancelled")
        case JobState.LOST if isinstance(node.phase, Running):
            _lost(draft, name, node, event.error or "the job was lost with its process")
        case JobState.LOST:
            pass  # it is being repeated already, or will be, by somebody who looks first
        case JobState.RUNNING:
            _still_running(draft, name, node, event)
        case JobState.NOT_FOUND:
            _not_found(draft, name, node, event)


def _attempt_failed(draft: Draft, name: str, node: Node, error: str) -> None:
    retry = draft.step(name).step.retry
    if node.attempt >= retry.attempts:
        draft.end(name, node, Failed(error), _of(node.attempt, retry))
    elif _cancelling(draft, name):
        draft.end(name, node, Cancelled(), error)
    else:
        until = draft.now + backoff(retry, node.attempt, draft.run_id, name)
        phase = Backoff(until, node.attempt + 1, error, draft.now)
        _back_off(draft, name, node, phase, _of(node.attempt, retry))


def _of(attempt: int, retry: Retry) -> str:
    return f"attempt {attempt} of {retry.attempts} failed"


def backoff(retry: Retry, attempt: int, *seed: str) -> int:
    """The wait after this attempt: doubled each time, capped, and spread by a quarter to either side."""
    wait = min(retry.backoff * 2 ** min(attempt - 1, 40), retry.max_backoff)
    return int(wait * (0.75 + 0.5 * spread(*seed, str(attempt))))


def _lost(draft: Draft, name: str, node: Node, error: str) -> None:
    if node.lost >= LOST_LIMIT:
        _attempt_failed(draft, name, node, f"{error} ({LOST_LIMIT + 1} times)")
    elif _cancelling(draft, name):
        draft.end(name, node, Cancelled(), error)
    else:
        begin(draft, name, node, node.attempt, error, again=True, lost=node.lost + 1)


def _still_running(draft: Draft, name: str, node: Node, event: Verdict) -> None:
    phase = node.phase
    if isinstance(phase, Submitting | Backoff):
        _running(draft, name, node, event.job)
        return
    assert isinstance(phase, Running)
    if event.orphaned:
        return
    step = draft.step(name).step
    wait = check_wait(step, min(phase.checks + 1, 20))
    if event.belled and phase.checks < len(RECHECKS):
        wait = RECHECKS[phase.checks]
    timers = draft.set_timer(name, node, draft.now + wait) if wait < FIRST_CHECK else node.timers
    due = _due(step, phase.since, draft.now + wait)
    late = node.late
    if step.expect_within is not None and late < node.attempt:
        expected = phase.since + step.expect_within
        if draft.now + SLACK >= expected:
            late = node.attempt
        else:
            due = min(due, expected)
    still = Running(phase.job, phase.since, due, phase.checks + 1)
    why = "still running" if late == node.late else "still running, later than expected"
    draft.move(name, node, still, why, timers=timers, late=late)


def _not_found(draft: Draft, name: str, node: Node, event: Verdict) -> None:
    phase = node.phase
    if event.orphaned or (isinstance(phase, Submitting) and draft.now > phase.until + MARGIN):
        why = "there was no job"
        begin(draft, name, node, node.attempt, why, again=True, lost=node.lost)
    elif isinstance(phase, Running):
        _lost(draft, name, node, "the service does not know the job any more")


def cancel(draft: Draft, name: str, node: Node, event: CancelNode) -> None:
    """The run is being cancelled: stop the job, if there is one or one is on its way."""
    if draft.step(name).always:
        return
    match node.phase:
        case Submitting(token=token, until=until, since=since):
            _stop(draft, name, node, Cancelling(until, 0, False, since, token=token), "cancel")
        case Running(job=job, since=since):
            _stop(draft, name, node, Cancelling(draft.now, 0, False, since, job), "cancel")
        case Backoff() as phase:
            _give_up(draft, name, node, phase)
        case _:
            pass


def _give_up(draft: Draft, name: str, node: Node, phase: Backoff) -> None:
    """The next attempt is not made. Of a submit that met trouble, nobody knows whether it came through."""
    if phase.attempt == node.attempt:
        _stop(draft, name, node, Cancelling(draft.now, 0, False, phase.since), "cancel")
    else:
        draft.end(name, node, Cancelled(), "cancel")


def _stop(draft: Draft, name: str, node: Node, phase: Cancelling, why: str) -> None:
    due = max(draft.now, phase.until) + MARGIN
    timers = draft.set_timer(name, node, due)
    draft.move(name, node, replace(phase, due=due), why, timers=timers)
    draft.commands.append(CancelJob(draft.run_id, name, node.attempt, node.job))


def check_stopped(draft: Draft, name: str, node: Node, event: Wake) -> None:
    """Nobody said yet that the job has stopped."""
    phase = node.phase
    assert isinstance(phase, Cancelling)
    if event.orphaned or draft.now + SLACK >= phase.due:
        draft.commands.append(_unasked(draft, name, node, event))
    else:
        stop_again(draft, name, node, event)


def stop_again(draft: Draft, name: str, node: Node, event: Wake | CancelNode) -> None:
    """Whoever decided to stop it may have died before telling the service."""
    assert isinstance(node.phase, Cancelling)
    draft.repeat_timer(name, node.timers, node.phase.due)
    draft.commands.append(CancelJob(draft.run_id, name, node.attempt, node.job))


def judge_stopped(draft: Draft, name: str, node: Node, event: Verdict) -> None:
    """What one status read said of a job that was told to stop."""
    phase = node.phase
    assert isinstance(phase, Cancelling)
    if _of_an_earlier_job(node, event):
        return
    match event.state:
        case JobState.SUCCEEDED:
            draft.end(name, node, Succeeded(event.output, event.output_uri), "before it could be stopped")
        case JobState.FAILED | JobState.CANCELLED | JobState.LOST:
            _stopped(draft, name, node)
        case JobState.NOT_FOUND if draft.now + SLACK >= phase.until + MARGIN:
            _stopped(draft, name, node)
        case JobState.NOT_FOUND if event.orphaned and phase.job is not None:
            _stopped(draft, name, node)
        case JobState.NOT_FOUND | JobState.RUNNING:
            _stop(draft, name, node, phase, "not stopped yet")


def _stopped(draft: Draft, name: str, node: Node) -> None:
    phase = node.phase
    assert isinstance(phase, Cancelling)
    if phase.timed_out:
        limit = draft.step(name).step.timeout or 0
        _attempt_failed(draft, name, node, f"stopped after its time limit of {limit / SECOND:g} s")
    else:
        draft.end(name, node, Cancelled(), "stopped")


def no_job(draft: Draft, name: str, node: Node, event: SubmitRefused) -> None:
    """The service refused the submit that was under way when the node was told to stop."""
    if isinstance(node.phase, Cancelling) and node.phase.token == event.token:
        _stopped(draft, name, node)


def late_job(draft: Draft, name: str, node: Node, event: Submitted) -> None:
    """A submit came through although its node has moved on: nobody waits for that job."""
    if isinstance(node.phase, Cancelling) and node.phase.job is None and event.attempt == node.attempt:
        found = replace(node.phase, job=event.job)
        draft.move(name, node, found, "the submit came through", job=event.job)
    if not isinstance(node.phase, Succeeded) or event.attempt != node.attempt:
        draft.commands.append(CancelJob(draft.run_id, name, event.attempt, event.job))


def _cancelling(draft: Draft, name: str) -> bool:
    return stops_with(draft.run, draft.step(name))
