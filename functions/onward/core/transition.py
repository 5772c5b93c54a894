"""What happens next: the only place where progress is decided.

`transition(plan, docs, event, context)` looks at the documents that `scope` named and returns a `Decision`:
the changes to commit in one go, and what to do afterwards. It does no I/O and reads no clock; the same
arguments give the same decision. A pair of state and event that is not in the tables below changes nothing:
it is late, repeated, or not true any more.

The life of a step's node:

    waiting ──what it needs succeeded──▶ submitting ──▶ running ──▶ succeeded
       │  ╲                                ▲ ▲             │  ╲
       │   ╲──its pool is full──▶ queued ──╯ └── retrying ◀┘   ╲──▶ failed
       │
       ├──what it needs did not──▶ upstream_failed
       ├──it is not called for───▶ skipped
       └──the run is cancelled───▶ cancelled           submitting, running ──▶ cancelling ──▶ …

Three rules carry the rest:

- A repeated event finishes what a crash left: a node that has ended tells its successors again, as an echo,
  which a step that got further does not pass on; an intent that nobody owns any more is submitted again.
  So that the repeat of one event can mend all that it left undone, a step ends only by an event of its own:
  another node's event may start it in passing, but where it would end it, it wakes it instead.
- A decision rests only on documents it writes, or on ended ones, which never change; of a `for_each`, on its
  list, which does not change either, and on its failures so far, which only grow. The one exception is the
  run's own state: nobody would write it and everybody would fence it. A cancel that slips by is caught by the
  last pass of the sweep.
- A node's end and the start of its only successor are one commit. Anything further is told by event.

Whether a step begins is in `readiness`, what runs once per item of a list in `maps`, the rules of an attempt
are in `attempts`, those of a run in `runs`; this module holds the tables, and the rules of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from onward.core import (
    admission,
    announcing,
    attempts,
    gates,
    handlers,
    maps,
    readiness,
    runs,
)
from onward.core.commands import Decision, Join
from onward.core.draft import Context, Draft
from onward.core.events import (
    Admitted,
    Announced,
    Arrive,
    Bell,
    CancelNode,
    CancelRun,
    Examined,
    Found,
    Joined,
    OfRun,
    Room,
    StartRun,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Sweep,
    TurnedAway,
    Verdict,
    Wake,
)
from onward.core.naming import predecessor
from onward.core.pipeline import ON_FAILURE, ON_SUCCESS
from onward.core.plan import END, End, Gather, Lanes, Plan, Scatter, StepNode
from onward.core.state import (
    Backoff,
    Cancelled,
    Cancelling,
    Document,
    Failed,
    Key,
    Mapped,
    Node,
    NodeKey,
    Queued,
    Run,
    RunKey,
    Running,
    RunState,
    Skipped,
    Submitting,
    Succeeded,
    UpstreamFailed,
    Waiting,
)

Rule = Callable[[Draft, str, Node, Any], None]


def transition(plan: Plan, docs: Mapping[Key, Document | None], event: OfRun, context: Context) -> Decision:
    """Decide what follows from `event`, given the documents of its scope (None: it doesn't exist)."""
    run = docs.get(RunKey(event.run))
    draft = Draft(plan, docs, event, run if isinstance(run, Run) else None, context)
    match event:
        case StartRun() | CancelRun() | Sweep() | Found() | TurnedAway():
            runs.RULES[type(event)](draft, event)
            if isinstance(event, StartRun):
                begin_run(draft, echo=run is not None)
        case Announced():
            announcing.confirm(draft, event)
        case Admitted() if draft.run is None or draft.run.state.ended:
            announcing.announce(draft)
            decision = gates.nobody(event)
            return replace(decision, commands=(*decision.commands, *draft.commands))
        case Admitted(node=None):
            runs.admitted(draft)
            begin_run(draft, echo=isinstance(run, Run) and run.state is not RunState.QUEUED)
        # A submit may come through after everything is over: that job must not go on unseen.
        case _ if draft.run is not None and (not draft.run.state.ended or isinstance(event, Submitted)):
            decide_node(draft, event)
        case _ if draft.run is not None:
            runs.tell_end(draft)
            admission.left_run(draft, draft.run)
            if announcing.of_steps(plan):  # some of which ended further on, and may not have been told
                decide_node(draft, event)
        case _:
            pass
    while draft.ended:
        name = draft.ended.pop()
        admission.leave(draft, name)
        pass_on(draft, name, echo=False)
    announcing.announce(draft)
    return draft.decision()


def begin_run(draft: Draft, *, echo: bool) -> None:
    """The first steps go, unless the run waits, or is over."""
    if draft.run is not None and draft.run.state in (RunState.RUNNING, RunState.CANCELLING):
        go_on(draft, draft.plan.roots, echo=echo)


def decide_node(draft: Draft, event: Any) -> None:
    """Apply the rule for this kind of node, its phase and the event, if there is one."""
    name: str = event.node
    match draft.plan.node(name):
        case StepNode():
            node = draft.node(name)
            rule = step_rule(node, event)
            if rule is not None:
                rule(draft, name, _counted(node, event), event)
        case Gather() as gather:
            if isinstance(event, Arrive):
                arrive(draft, name, event.child)
            elif isinstance(event, Wake):
                join(draft, name, gather, event)
        case Scatter(next=following, after=after):
            if isinstance(event, Wake):
                scatter(draft, following, after, event)
        case Lanes(of=of):
            maps.group(draft, name, of, event)
        case End():
            if isinstance(event, Wake):
                end_run(draft)
        case None:
            pass


def _counted(node: Node, event: Any) -> Node:
    """With the status read that led to this event."""
    if not isinstance(event, Verdict) or not event.read or node.phase.ended:
        return node
    return replace(node, bells=node.bells + event.belled, checks=node.checks + (not event.belled))


def step_rule(node: Node, event: Any) -> Rule | None:
    """The rule for this phase and event; None: nothing is to be done."""
    if isinstance(event, Wake) and event.echo:
        return echoed
    if getattr(event, "attempt", node.attempt) == node.attempt:
        return STEP_RULES.get((type(node.phase), type(event)))
    return attempts.late_job if isinstance(event, Submitted) else None


def repeat(draft: Draft, name: str, node: Node, event: object) -> None:
    """The node has ended, and is told again: whoever told it first may have died before passing it on."""
    admission.left(draft, name)
    pass_on(draft, name, echo=True)


def let_in_late(draft: Draft, name: str, node: Node, event: Admitted) -> None:
    """It has ended, and does not need the slot. If it ended by this very event, its end was not passed on."""
    admission.give_back(draft, name, node, event)
    repeat(draft, name, node, event)


def echoed(draft: Draft, name: str, node: Node, event: object) -> None:
    """The node before tells it again. Where that is news, it goes on by an event of its own.

    An echo ends no step, because the echo's own repeat would stop here and not pass that end on. The
    exception is a step that begins by an echo and is refused at once, which its state shows.
    """
    match node.phase:
        case Waiting():
            readiness.ready(draft, name, node, event)
        case Queued() | Submitting() | Backoff():
            draft.events.append(Wake(draft.run_id, name))
        case Failed() if node.job is None:
            pass_on(draft, name, echo=True)
        case _:
            pass


def pass_on(draft: Draft, name: str, *, echo: bool) -> None:
    """This node has ended: go on to what follows it."""
    if name not in draft.plan.nodes:
        following = maps.after(draft, name, echo=echo)
    else:
        following = draft.plan.nodes[name].next  # type: ignore[union-attr]
        if not echo:
            tell_gathers(draft, name)
    go_on(draft, following, echo=echo)


def tell_gathers(draft: Draft, name: str) -> None:
    """Put this node's end into the gathers that wait for it, in the same commit."""
    node = draft.node(name)
    mark = readiness.mark(name, node)
    for following in draft.plan.nodes[name].next:  # type: ignore[union-attr]
        if isinstance(draft.plan.nodes[following], Gather):
            key = NodeKey(draft.run_id, following)
            draft.changes[key] = Join(key, (mark,))


def go_on(draft: Draft, following: tuple[str, ...], *, echo: bool) -> None:
    """Start the only successor in this very decision where its document was read; wake all others."""
    for name in following:
        if len(following) > 1 or not (draft.knows(name) or name == END):
            draft.events.append(Wake(draft.run_id, name, echo))
        elif name == END:
            end_run(draft)
        else:
            echoed(draft, name, draft.node(name), draft.event)


def arrive(draft: Draft, name: str, child: str) -> None:
    """A child too far away to join in its own commit has ended: join for it, then look."""
    node = draft.node(child)
    if node.phase.ended:
        key = NodeKey(draft.run_id, name)
        draft.changes[key] = Join(key, (readiness.mark(child, node),))
        draft.events.append(Wake(draft.run_id, name))


def join(draft: Draft, name: str, gather: Gather, event: Wake) -> None:
    """The gather is done when every child is in its set."""
    node = draft.node(name)
    if node.phase.ended:
        go_on(draft, gather.next, echo=True)
        return
    outcome = readiness.outcome(gather.of, node.arrived, draft.run_id)
    if outcome is not None:
        draft.end(name, node, outcome)


def scatter(draft: Draft, following: tuple[str, ...], after: str | None, event: Wake) -> None:
    """Pass the wake on; gathers are told who has ended."""
    heard = not isinstance(draft.node(following[0]).phase, Waiting)
    if event.echo and heard and not any(_is_examined(draft, name) for name in following):
        return  # they were told together, and one of them has heard it
    for name in following:
        if isinstance(draft.plan.nodes[name], Gather) and after is not None:
            draft.events.append(Arrive(draft.run_id, name, after))
        else:
            draft.events.append(Wake(draft.run_id, name, event.echo))


def _is_examined(draft: Draft, name: str) -> bool:
    """Whether the step may still have to begin although others that were told with it have begun."""
    planned = draft.plan.nodes[name]
    later = predecessor(draft.run_id) is not None
    return isinstance(planned, StepNode) and (later or readiness.asks(planned.step))


def end_run(draft: Draft) -> None:
    """The run ends with the last of its nodes."""
    end = draft.plan.nodes[END]
    assert isinstance(end, End)
    run, last = draft.run, draft.node(end.last)
    if run is None or run.state.ended or not draft.node(end.after).phase.ended:
        return
    state, more = handlers.verdict(run, last, draft.node(ON_SUCCESS), draft.node(ON_FAILURE))
    why = None
    if handlers.comes_to(run, last) is RunState.FAILED:
        why = run.error or f"step {readiness.cause(end.last, last)} did not succeed"
    runs.end(draft, run, state, "; ".join(part for part in (why, more) if part) or None)


STEP_RULES: dict[tuple[type, type], Rule] = {
    (Waiting, Wake): readiness.ready,
    (Waiting, Examined): readiness.examined,
    (Queued, Wake): admission.look,
    (Queued, Admitted): admission.look,
    (Queued, CancelNode): admission.cancel,
    (Submitting, Admitted): admission.begun,
    (Submitting, Wake): attempts.take_over,
    (Submitting, Submitted): attempts.settle,
    (Submitting, SubmitRefused): attempts.refuse,
    (Submitting, SubmitDelayed): attempts.delay,
    (Submitting, Bell): attempts.look,
    (Submitting, Verdict): attempts.judge,
    (Submitting, CancelNode): attempts.cancel,
    (Running, Wake): attempts.check,
    (Running, Bell): attempts.look,
    (Running, Verdict): attempts.judge,
    (Running, CancelNode): attempts.cancel,
    (Backoff, Wake): attempts.resume,
    (Backoff, Submitted): attempts.settle,
    (Backoff, Room): attempts.room,
    (Backoff, Bell): attempts.look,
    (Backoff, Verdict): attempts.judge,
    (Backoff, CancelNode): attempts.cancel,
    (Mapped, Wake): maps.look_at_lanes,
    (Mapped, Joined): maps.judge_items,
    (Cancelling, Wake): attempts.check_stopped,
    (Cancelling, CancelNode): attempts.stop_again,
    (Cancelling, Submitted): attempts.late_job,
    (Cancelling, SubmitRefused): attempts.no_job,
    (Cancelling, Bell): attempts.look,
    (Cancelling, Verdict): attempts.judge_stopped,
    **{
        (ended, event): rule
        for ended in (Succeeded, Failed, UpstreamFailed, Skipped, Cancelled)
        for event, rule in (
            (Wake, repeat),
            (Admitted, let_in_late),
            (Joined, repeat),
            (CancelNode, repeat),
            (Bell, repeat),
            (Verdict, repeat),
            (Submitted, attempts.late_job),
            (SubmitRefused, repeat),
        )
    },
}
