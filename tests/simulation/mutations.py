"""The core, broken on purpose: each of these the simulator must notice, or it would notice nothing."""

from __future__ import annotations

# ruff: noqa: ARG001 - a mutant takes what the rule takes
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from onward import recovery
from onward.core import (
    admission,
    announcing,
    attempts,
    gates,
    handlers,
    limits,
    maps,
    readiness,
    runs,
    transition,
)
from onward.core.commands import Announce, CancelJob, Put, SetTimer, Submit
from onward.core.draft import Draft
from onward.core.events import Bell, ItemList, Joined, Wake
from onward.core.naming import item_name, item_of
from onward.core.pipeline import Pipeline
from onward.core.plan import decode_plan
from onward.core.state import Node, Running, RunState, Skipped, Submitting, Succeeded, Tally
from onward.engine import Engine
from onward.stores.memory import MemoryStore

from simulation import laptop, pipelines

Mutation = Callable[[], Any]
MUTATIONS: dict[str, Mutation] = {}
NOTICED_BY: dict[str, int] = {}
"""A story that notices the mutant, to be told first."""


def mutation(seed: int = 0) -> Callable[[Mutation], Mutation]:
    """Listed under its name; gives what holds the patch while the mutant lives."""

    def listed(make: Mutation) -> Mutation:
        MUTATIONS[make.__name__] = make
        NOTICED_BY[make.__name__] = seed
        return make

    return listed


def _rules(changed: dict[tuple[type, type], Any]) -> Any:
    return patch.dict(transition.STEP_RULES, changed)


def _without(*pairs: tuple[type, type]) -> Any:
    left = {pair: rule for pair, rule in transition.STEP_RULES.items() if pair not in pairs}
    return patch.dict(transition.STEP_RULES, left, clear=True)


def _nothing(*_: object, **__: object) -> None:
    pass


BELLS = ((Submitting, Bell), (Running, Bell))


@mutation()
def a_repeat_of_what_has_ended_is_ignored() -> Any:
    ended = [pair for pair, rule in transition.STEP_RULES.items() if rule is transition.repeat]
    return _without(*ended)


@mutation()
def an_echo_is_passed_on_by_nobody() -> Any:
    return patch.object(transition, "echoed", _nothing)


@mutation(seed=1)
def an_echo_may_do_what_any_wake_does() -> Any:
    def echoed(draft: Draft, name: str, node: Node, event: Any) -> None:
        rule = transition.STEP_RULES.get((type(node.phase), type(event)))
        if rule is not None and not node.phase.ended:
            rule(draft, name, node, event)

    return patch.object(transition, "echoed", echoed)


@mutation(seed=6)
def an_intent_is_taken_over_while_its_owner_is_at_it() -> Any:
    def take_over(draft: Draft, name: str, node: Node, event: Wake) -> None:
        attempts.begin(draft, name, node, node.attempt, again=True)

    return _rules({(Submitting, Wake): take_over})


@mutation()
def nobody_takes_over_an_intent() -> Any:
    return _rules({(Submitting, Wake): _nothing})


@mutation()
def a_bell_is_believed() -> Any:
    def believe(draft: Draft, name: str, node: Node, event: Any) -> None:
        if event.attempt == node.attempt:
            draft.end(name, node, Succeeded())

    return _rules(dict.fromkeys(BELLS, believe))


@mutation()
def no_timer_is_set_before_a_run_is_created() -> Any:
    def start(draft: Draft, event: Any) -> None:
        original(draft, event)
        draft.prepare.clear()

    original = runs.start
    return patch.dict(runs.RULES, {runs.StartRun: start})


@mutation()
def the_watch_is_not_set_again() -> Any:
    def found(draft: Draft, event: Any) -> None:
        original(draft, event)
        if event.purpose == "watch":
            draft.commands[:] = [each for each in draft.commands if not isinstance(each, SetTimer)]

    original = runs.found
    return patch.dict(runs.RULES, {runs.Found: found})


@mutation()
def a_watch_stops_when_its_run_ends_under_it() -> Any:
    return patch.object(runs, "_wait_for_expiry", _nothing)


@mutation()
def a_gather_is_done_when_as_many_were_told_as_it_has_children() -> Any:
    def tell_gathers(draft: Draft, name: str) -> None:
        original(draft, name)
        for key, change in list(draft.changes.items()):
            if isinstance(change, transition.Join):
                again = (*change.members, *(f"{member}#" for member in change.members))
                draft.changes[key] = replace(change, members=again)

    original = transition.tell_gathers
    return patch.object(transition, "tell_gathers", tell_gathers)


@mutation()
def a_gather_waits_for_one_child_less() -> Any:
    def join(draft: Draft, name: str, gather: Any, event: Wake) -> None:
        original(draft, name, replace(gather, of=gather.of[1:]), event)

    original = transition.join
    return patch.object(transition, "join", join)


@mutation()
def a_gather_forgets_who_failed() -> Any:
    def join(draft: Draft, name: str, gather: Any, event: Wake) -> None:
        node = draft.node(name)
        if not node.phase.ended and len(node.arrived) >= len(gather.of):
            draft.end(name, node, Succeeded())

    return patch.object(transition, "join", join)


@mutation(seed=11)
def gathers_out_of_reach_are_not_told() -> Any:
    return patch.object(transition, "arrive", _nothing)


@mutation(seed=19)
def steps_begin_in_a_run_that_is_being_cancelled() -> Any:
    def ready(draft: Draft, name: str, node: Node, event: object) -> None:
        run = draft.run
        if run is not None and run.state is RunState.CANCELLING:
            draft.run = replace(run, state=RunState.RUNNING)
        original(draft, name, node, event)
        draft.run = run

    original = readiness.ready
    patched = patch.object(readiness, "ready", ready)
    return _both(
        patched, _rules({(transition.Waiting, Wake): ready}), patch.object(runs, "WATCH", runs.WATCH)
    )


@mutation()
def a_cancelled_node_does_not_wait_for_a_verdict() -> Any:
    def stop(draft: Draft, name: str, node: Node, phase: Any, why: str) -> None:
        draft.end(name, node, attempts.Cancelled(), why)
        draft.commands.append(CancelJob(draft.run_id, name, node.attempt, node.job))

    return patch.object(attempts, "_stop", stop)


@mutation()
def the_next_attempt_does_not_wait_for_the_one_before_to_stop() -> Any:
    def check(draft: Draft, name: str, node: Node, event: Wake) -> None:
        timeout = draft.step(name).step.timeout
        phase = node.phase
        assert isinstance(phase, Running)
        if timeout is not None and draft.now >= phase.since + timeout:
            attempts.begin(draft, name, node, node.attempt + 1)
            draft.commands.insert(0, CancelJob(draft.run_id, name, node.attempt, node.job))
        else:
            original(draft, name, node, event)

    original = attempts.check
    return _rules({(Running, Wake): check})


@mutation()
def a_time_limit_is_not_kept_due() -> Any:
    return patch.object(attempts, "_due", lambda *given: given[-1] + 100 * runs.DAY)


@mutation(seed=54)
def a_submit_is_sent_however_late() -> Any:
    original = Engine._submit

    def submit(self: Engine, command: Submit) -> Any:
        return original(self, replace(command, until=command.until + runs.DAY))

    return patch.object(Engine, "_submit", submit)


@mutation()
def a_needed_step_need_not_have_succeeded() -> Any:
    def ready(draft: Draft, name: str, node: Node, event: object) -> None:
        attempts.begin(draft, name, node, 1)

    return _both(patch.object(readiness, "ready", ready), _rules({(transition.Waiting, Wake): ready}))


@mutation(seed=4)
def a_stale_commit_wins() -> Any:
    def commit(self: MemoryStore, writes: Any) -> Any:
        fresh = [
            write._replace(version=found.version if (found := self.docs.get(write.change.key)) else 0)
            for write in writes
        ]
        return original(self, fresh)

    original = MemoryStore.commit
    return patch.object(MemoryStore, "commit", commit)


@mutation(seed=10)
def a_lost_job_is_not_repeated() -> Any:
    return patch.object(attempts, "_lost", _nothing)


@mutation(seed=3)
def a_restart_wakes_nothing() -> Any:
    return patch.object(laptop, "unfinished", lambda _: ())


@mutation(seed=3)
def a_restart_does_not_watch() -> Any:
    def unfinished(store: Any) -> Iterator[Any]:
        return (event for event in recovery.unfinished(store) if not isinstance(event, recovery.Sweep))

    return patch.object(laptop, "unfinished", unfinished)


@mutation(seed=3)
def runs_whose_timers_died_are_kept_for_ever() -> Any:
    return patch.object(laptop, "expired", lambda *_: ())


@mutation(seed=31)
def every_status_is_read_twice() -> Any:
    def look(draft: Draft, name: str, node: Node, event: Any) -> None:
        original(draft, name, node, event)
        original(draft, name, node, event)

    original = attempts.look
    return _rules(dict.fromkeys(BELLS, look))


@mutation()
def an_ended_step_can_fail_again() -> Any:
    return _rules({(Succeeded, attempts.Verdict): attempts.judge, (Succeeded, Wake): _fail})


def _fail(draft: Draft, name: str, node: Node, event: object) -> None:
    draft.end(name, node, attempts.Failed("again"))


@mutation()
def history_is_not_written() -> Any:
    def move(self: Draft, name: str, node: Node, phase: Any, why: str = "", **fields: object) -> Node:
        moved = replace(original(self, name, node, phase, why, **fields), history=node.history)
        key = next(
            key
            for key, change in self.changes.items()
            if isinstance(change, Put) and change.doc.phase is phase
        )
        self.changes[key] = Put(key, moved)
        return moved

    original = Draft.move
    return patch.object(Draft, "move", move)


@contextmanager
def _both(*patches: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


@mutation(seed=1)
def what_cleans_up_is_passed_over_like_any_step() -> Any:
    begins = readiness.ready

    def ready(draft: Draft, name: str, node: Node, event: object) -> None:
        planned = draft.plan.nodes[name]
        draft.plan.nodes[name] = replace(planned, always=False)
        try:
            begins(draft, name, node, event)
        finally:
            draft.plan.nodes[name] = planned

    return _both(patch.object(readiness, "ready", ready), _rules({(transition.Waiting, Wake): ready}))


@mutation(seed=3)
def what_cleans_up_is_cancelled_with_the_run() -> Any:
    stops = attempts.cancel

    def cancel(draft: Draft, name: str, node: Node, event: Any) -> None:
        planned = draft.plan.nodes[name]
        draft.plan.nodes[name] = replace(planned, always=False)
        try:
            stops(draft, name, node, event)
        finally:
            draft.plan.nodes[name] = planned

    active = (Submitting, Running, attempts.Backoff)
    return _rules({(phase, attempts.CancelNode): cancel for phase in active})


@mutation(seed=154)
def a_sub_run_starts_whatever_became_of_its_step() -> Any:
    return patch.object(runs, "_tied_to_its_step", lambda *_: True)


@mutation(seed=2)
def an_attempt_asks_about_the_job_of_the_one_before() -> Any:
    begins = attempts.begin

    def begin(draft: Draft, name: str, node: Node, *args: Any, **kwargs: Any) -> None:
        begins(draft, name, node, *args, **kwargs)
        key = transition.NodeKey(draft.run_id, name)
        draft.changes[key] = Put(key, replace(draft.node(name), job=node.job))

    return patch.object(attempts, "begin", begin)


@mutation()
def no_if_is_asked() -> Any:
    return patch.object(readiness, "asks", lambda _: False)


@mutation()
def a_gather_takes_a_skip_for_a_success() -> Any:
    def mark(name: str, node: Node) -> str:
        return name if isinstance(node.phase, Skipped) else original(name, node)

    original = readiness.mark
    return patch.object(readiness, "mark", mark)


@mutation()
def a_skip_outranks_a_failure() -> Any:
    def outcome(of: Any, marks: Any, run: str) -> Any:
        skipped = [mark for mark in marks if "?" in mark]
        phase = original(of, marks, run)
        return Skipped(cause=skipped[0].partition("?")[2]) if phase is not None and skipped else phase

    original = readiness.outcome
    return patch.object(readiness, "outcome", outcome)


@mutation()
def a_step_for_failures_begins_after_any_end() -> Any:
    return _kept_from("failure", "all_done")


@mutation()
def a_step_for_all_ends_begins_only_after_a_success() -> Any:
    return _kept_from("all_done", "success")


def _kept_from(when: str, instead: str) -> Any:
    def kept_from(draft: Draft, planned: Any, source: Any) -> Any:
        if planned.step.when == when:
            planned = replace(planned, step=replace(planned.step, when=instead))
        return original(draft, planned, source)

    original = readiness._kept_from
    return patch.object(readiness, "_kept_from", kept_from)


@mutation()
def what_follows_a_failure_hides_it_from_the_run() -> Any:
    def compiled(pipeline: Pipeline) -> Any:
        alike = tuple(replace(step, when="success") for step in pipeline.steps)
        plan = original(replace(pipeline, steps=alike))
        for step in pipeline.steps:
            planned = plan.nodes[step.name]
            plan.nodes[step.name] = replace(planned, step=step, always=step.when == "always")
        return decode_plan(plan.encode())

    original = pipelines.compile_plan
    return patch.object(pipelines, "compile_plan", compiled)


@mutation(seed=40)
def a_step_is_looked_at_by_the_event_of_another() -> Any:
    """So nobody tells its end again when the one that told it died."""

    def ready(draft: Draft, name: str, node: Node, event: object) -> None:
        original(draft, name, node, Wake(draft.run_id, name))

    original = readiness.ready
    return _both(patch.object(readiness, "ready", ready), _rules({(transition.Waiting, Wake): ready}))


@mutation()
def all_items_of_a_list_begin_together() -> Any:
    begins = maps.begin

    def begin(draft: Draft, name: str, node: Node, items: ItemList) -> None:
        begins(draft, name, node, items)
        draft.events += (Wake(draft.run_id, item_name(name, index)) for index in range(items.count))

    def reached(draft: Draft, name: str, node: Node) -> Node | None:
        return node if item_of(name) is None else replace(node, tally=Tally())

    return _both(patch.object(maps, "begin", begin), patch.object(maps, "reached", reached))


@mutation()
def a_step_does_not_wait_for_the_last_of_its_lanes() -> Any:
    def lanes_of(step: Any, count: int, group: int | None = None) -> range:
        found = original(step, count, group)
        return found[1:] if len(found) > 1 else found

    original = maps.lanes_of
    return patch.object(maps, "lanes_of", lanes_of)


@mutation()
def a_lane_forgets_who_failed_before() -> Any:
    original = maps._with

    def with_(node: Node, index: int) -> Tally:
        return original(replace(node, tally=None), index)

    return patch.object(maps, "_with", with_)


@mutation()
def an_item_that_was_cancelled_counts_as_done() -> Any:
    def tell(draft: Draft, parent: str, mark: Any) -> None:
        original(draft, parent, None if mark is None else replace(mark, done=10_000))

    original = maps._tell
    return patch.object(maps, "_tell", tell)


@mutation()
def an_end_that_is_told_again_does_not_reach_the_step() -> Any:
    ended = [pair for pair in transition.STEP_RULES if pair[1] is Joined]
    return _without(*ended)


@mutation(seed=2)
def what_a_crash_kept_from_being_announced_is_forgotten() -> Any:
    def announce(draft: Draft) -> None:
        before = len(draft.commands)
        left = {
            (key.run, getattr(key, "node", None), note.kind, note.attempt)
            for key, doc in draft.docs.items()
            for note in getattr(doc, "untold", ())
        }
        announces(draft)
        draft.commands[before:] = [
            each
            for each in draft.commands[before:]
            if not isinstance(each, Announce) or (each.run, each.node, each.kind, each.attempt) not in left
        ]

    announces = announcing.announce
    return patch.object(announcing, "announce", announce)


@mutation(seed=2)
def nobody_looks_at_how_long_a_run_takes() -> Any:
    return patch.object(limits, "look", lambda _, run: run)


@mutation(seed=2)
def a_deadline_stops_the_failure_handler_as_well() -> Any:
    return patch.object(runs, "ON_FAILURE", "nobody")


@mutation(seed=1)
def both_handlers_run() -> Any:
    def kept_from(run: Any, name: str, last: Node) -> Any:
        kept = keeps(run, name, last)
        return None if kept is not None and isinstance(kept[0], Skipped) else kept

    keeps = handlers.kept_from
    return patch.object(handlers, "kept_from", kept_from)


@mutation(seed=2)
def a_run_fails_without_its_failure_handler() -> Any:
    def kept_from(run: Any, name: str, last: Node) -> Any:
        return keeps(run, name, last) or (Skipped("nobody cares"), "nobody cares")

    keeps = handlers.kept_from
    return patch.object(handlers, "kept_from", kept_from)


@mutation()
def a_gate_lets_one_more_in_than_it_holds() -> Any:
    decides = gates._Granting.decision

    def decision(self: Any) -> Any:
        self.limit += 1
        return decides(self)

    return patch.object(gates._Granting, "decision", decision)


@mutation()
def who_ends_does_not_leave_the_gate() -> Any:
    return patch.object(admission, "_leave", _nothing)


@mutation(seed=6)
def the_last_of_those_who_wait_goes_first() -> Any:
    decides = gates._Granting.decision

    def decision(self: Any) -> Any:
        self.waiters.reverse()
        return decides(self)

    return patch.object(gates._Granting, "decision", decision)


@mutation()
def a_step_with_a_pool_begins_without_a_slot() -> Any:
    def enter(draft: Draft, name: str, node: Node, why: str = "") -> None:
        attempts.begin(draft, name, node, 1, why)

    return patch.object(admission, "enter", enter)
