"""Announcements: facts about runs and steps that a pipeline asks to have published.

A fact is noted in its own document (`untold`) by the commit that makes it true, published after that, and
crossed out once the publisher has it. What a crash left noted is published again by the event that comes
again, under the same id: at least once each, and seldom twice.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from onward.core.commands import Announce, Put
from onward.core.draft import Draft
from onward.core.events import Announced, CancelRun, Found, StartRun, Sweep
from onward.core.naming import announcement_id
from onward.core.plan import Plan, StepNode
from onward.core.state import Failed, Node, NodeKey, Note, Run, RunKey, RunState

_OF_RUN = {"run_started": RunState.RUNNING.value, "run_late": RunState.RUNNING.value}
_OF_STEP = {"step_failed": "failed", "step_late": "running"}


def announce(draft: Draft) -> None:
    """Note what this decision makes true, and publish it, with what an earlier one left."""
    asked = draft.plan.pipeline.announce
    if not asked or isinstance(draft.event, Announced):
        return
    for key, found in draft.docs.items():
        change = draft.changes.get(key)
        now = change.doc if isinstance(change, Put) else found
        match key, now:
            case RunKey(run=draft.run_id), Run():
                old = found if isinstance(found, Run) else None
                news = [Note(kind, draft.now) for kind in _run_news(old, now) if kind in asked]
                left = now.untold if _is_about_the_run(draft, now) else ()
            case NodeKey(run=draft.run_id, node=name), Node() if isinstance(
                draft.plan.nodes.get(name), StepNode
            ):
                old_node = found if isinstance(found, Node) else Node()
                kinds = (kind for kind in _step_news(old_node, now) if kind in asked)
                news = [Note(kind, draft.now, now.attempt) for kind in kinds]
                left = now.untold
            case _:
                continue
        if news:
            now = replace(now, untold=(*now.untold, *news))
            draft.changes[key] = Put(key, now)
        assert draft.run is not None
        draft.commands += (_command(draft, key, now, note) for note in (*left, *news))


def of_steps(plan: Plan) -> bool:
    """Whether anything is announced that is noted at a step."""
    return any(kind in _OF_STEP for kind in plan.pipeline.announce)


def confirm(draft: Draft, event: Announced) -> None:
    """Cross out what was published."""
    key = RunKey(event.run) if event.node is None else NodeKey(event.run, event.node)
    found = draft.docs.get(key)
    if not isinstance(found, Run | Node):
        return
    rest = tuple(note for note in found.untold if (note.kind, note.attempt) != (event.kind, event.attempt))
    if len(rest) < len(found.untold):
        draft.changes[key] = Put(key, replace(found, untold=rest))


def _is_about_the_run(draft: Draft, run: Run) -> bool:
    """Others read the run, too, and might do so while its announcement is on its way."""
    return run.state.ended or isinstance(draft.event, StartRun | CancelRun | Sweep | Found)


def _run_news(old: Run | None, now: Run) -> list[str]:
    begun = old is not None and old.state is not RunState.QUEUED
    news = ["run_started"] if now.state is RunState.RUNNING and not begun else []
    if now.late and not (old is not None and old.late):
        news.append("run_late")
    if now.state.ended and not (old is not None and old.state.ended):
        news.append("run_ended")
    return news


def _step_news(old: Node, now: Node) -> list[str]:
    news = ["step_late"] if now.late != old.late else []
    if isinstance(now.phase, Failed) and not old.phase.ended:
        news.append("step_failed")
    return news


def _command(draft: Draft, key: RunKey | NodeKey, doc: Run | Node, note: Note) -> Announce:
    run = draft.run
    assert run is not None
    about: dict[str, Any] = {
        "run": draft.run_id,
        "pipeline": run.pipeline,
        "params": run.params,
        "trigger": run.trigger,
    }
    subject, node = draft.run_id, None
    match doc:
        case Run():
            over = note.kind == "run_ended"
            state = _OF_RUN.get(note.kind, doc.state.value)
            error = doc.error if over else None
            ended = doc.ended if over else None
        case Node():
            assert isinstance(key, NodeKey)
            node, subject = key.node, f"{draft.run_id}/{key.node}"
            about |= {"step": node, "attempt": note.attempt}
            state = _OF_STEP[note.kind]
            over = note.kind == "step_failed"
            error = doc.phase.error if over and isinstance(doc.phase, Failed) else None
            ended = doc.ended if over else None
    data = {**about, "state": state, "started": doc.started, "ended": ended, "error": error}
    return Announce(
        announcement_id(note.kind, draft.run_id, node or "", str(note.attempt)),
        note.kind,
        note.at,
        run.pipeline,
        state,
        subject,
        data,
        draft.run_id,
        node,
        note.attempt,
    )


def absent(pipeline: str, day: str, at: int, data: dict[str, Any]) -> Announce:
    """That an object which was expected by now is not there. `day` keeps one such fact from the next."""
    name = announcement_id("object_absent", pipeline, day)
    return Announce(name, "object_absent", at, pipeline, "absent", pipeline, {"pipeline": pipeline, **data})
