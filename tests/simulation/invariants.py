"""What must hold in every world, each with its sentence; a `Violation` says which seed broke which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace
from onward.core.attempts import check_wait
from onward.core.commands import Announce
from onward.core.events import JobState
from onward.core.naming import announcement_id, group_of, item_name, item_of
from onward.core.pipeline import DAY, HOUR, MINUTE, ON_FAILURE, ON_SUCCESS
from onward.core.plan import StepNode
from onward.core.state import (
    Backoff,
    Cancelled,
    Document,
    Failed,
    Key,
    Node,
    NodeKey,
    Phase,
    Queued,
    Run,
    RunKey,
    RunState,
    Skipped,
    Submitting,
    Succeeded,
    UpstreamFailed,
)
from onward.ports import JobRequest, Versioned

from simulation.gates import Gates
from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.service import Job
    from simulation.world import World

_AS_JOB = {
    RunState.SUCCEEDED: JobState.SUCCEEDED,
    RunState.FAILED: JobState.FAILED,
    RunState.CANCELLED: JobState.CANCELLED,
    RunState.SKIPPED: JobState.FAILED,
}
ENDED = {"succeeded", "failed", "upstream_failed", "skipped", "cancelled"}
MOVES = {
    "waiting": {
        "queued",
        "submitting",
        "succeeded",
        "failed",
        "upstream_failed",
        "skipped",
        "cancelled",
        "mapping",
    },
    "queued": {"queued", "submitting", "cancelled"},
    "mapping": {"mapping", "succeeded", "failed", "cancelled"},
    "submitting": {"submitting", "running", "retrying", "cancelling", "succeeded", "failed", "cancelled"},
    "running": {"running", "submitting", "retrying", "cancelling", "succeeded", "failed", "cancelled"},
    "retrying": {"submitting", "running", "retrying", "cancelling", "succeeded", "failed", "cancelled"},
    "cancelling": {"cancelling", "retrying", "succeeded", "failed", "cancelled"},
}
KEPT = 34 * DAY
BAD = Failed | UpstreamFailed | Cancelled


def called_for(when: str, needs: Iterable[Phase]) -> bool:
    """Whether a step may begin after its needs came to this."""
    came_to = list(needs)
    match when:
        case "success":
            return all(isinstance(phase, Succeeded) for phase in came_to)
        case "failure":
            return all(phase.ended for phase in came_to) and any(isinstance(phase, BAD) for phase in came_to)
        case _:
            return all(phase.ended for phase in came_to)


def _has_no_job(key: NodeKey, node: Node) -> bool:
    """Helpers, what goes over a list, and the groups of its lanes."""
    return key.node.startswith("~") or node.items is not None or group_of(key.node) is not None


class Watcher:
    """Looks at every commit and every submit."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: set[str] = set()
        self.told: Counter[str] = Counter()
        """How often each announcement was published, by its id."""
        self.gates = Gates(world)

    def submitted(self, request: JobRequest) -> None:
        """No job before what its step needs or after its step's end, and at most one of a step is alive."""
        self.gates.submitted(request)
        for job in self.world.service.alive():
            if job.of == (request.run, request.node):
                raise Violation(f"{request.name} was made while {job.request.name} was alive")
        needs = {need: self._node(request.run, need).phase for need in request.step.needs}
        if not called_for(request.step.when, needs.values()):
            raise Violation(f"{request.name} was made although its needs are {needs}")
        if request.step.condition == "false":
            raise Violation(f"{request.name} was made although its `if` is false")
        if request.node in (ON_FAILURE, ON_SUCCESS):
            self._comes_last(request)
        node = self._node(request.run, request.node)
        if node.phase.ended:
            raise Violation(f"{request.name} was made although its step has ended: {node.phase}")
        if node.attempt != request.attempt:
            raise Violation(f"{request.name} was made although its step is at attempt {node.attempt}")
        item = item_of(request.node)
        if item is not None:
            self._in_its_lane(request, item[0])

    def _in_its_lane(self, request: JobRequest, of: str) -> None:
        """No more items of a list at the same time than it says."""
        jobs = [job for job in self.world.service.alive() if job.request.run == request.run]
        beside = [job for job in jobs if (item_of(job.request.node) or ("",))[0] == of]
        if len(beside) >= request.step.max_parallel:
            raise Violation(f"{request.name} was made beside {beside}")

    def _comes_last(self, request: JobRequest) -> None:
        """A handler runs when all steps have ended, and only the one that the run calls for."""
        failed = False
        for name, _ in self.world.plans[request.plan].step_nodes():
            if name not in (ON_FAILURE, ON_SUCCESS):
                phase = self._node(request.run, name).phase
                failed = failed or isinstance(phase, Failed | UpstreamFailed | Cancelled)
                if not phase.ended:
                    raise Violation(f"{request.name} was made although {name} is {phase}")
        run = self._run(request.run)
        assert run is not None
        wrong = failed != (request.node == ON_FAILURE) and not run.overran
        if wrong and not self.world.faults.freeze:
            raise Violation(f"{request.name} was made although {failed=} and the run is {run.state}")

    def _handled(self, key: RunKey, new: Run) -> None:
        """A run that fails has run its failure handler, one that succeeds its success handler."""
        nodes = self.world.plans[new.plan].nodes
        phases = {name: self._node(key.run, name).phase for name in (ON_FAILURE, ON_SUCCESS) if name in nodes}
        succeeded = isinstance(phases.get(ON_SUCCESS), Succeeded)
        failure = phases.get(ON_FAILURE)
        match new.state:
            case RunState.SUCCEEDED:
                wrong = (ON_SUCCESS in phases and not succeeded) or isinstance(failure, Succeeded | Failed)
            case RunState.FAILED if isinstance(phases.get(ON_SUCCESS), Skipped | None):
                stopped = isinstance(failure, Cancelled) and self._was_cancelled(key.run)
                wrong = failure is not None and not isinstance(failure, Succeeded | Failed) and not stopped
            case _:
                wrong = False
        if wrong and not self.world.faults.freeze:
            raise Violation(f"{key} ended as {new.state}, but its handlers are {phases}")

    def _was_cancelled(self, run: str) -> bool:
        """By a person, or with the run whose step it is."""
        return any(f"CancelRun(run='{run}')" in line for line in self.world.trace)

    def _node(self, run: str, name: str) -> Node:
        key = NodeKey(run, name)
        found = self.world.store.read([key]).get(key)
        return found.doc if found is not None and isinstance(found.doc, Node) else Node()

    def committed(self, before: Mapping[Key, Versioned], after: Mapping[Key, Versioned]) -> None:
        """A finished thing never changes; a run does not end before its steps; a history tells all."""
        self.gates.committed(before, after)
        for key in before | after:
            old = before[key].doc if key in before else None
            new = after[key].doc if key in after else None
            if isinstance(key, NodeKey) and old is None:
                self._begins(key, new, before.get(RunKey(key.run)))
                self._is_let_in(key, after.get(RunKey(key.run)))
            if isinstance(key, NodeKey | RunKey) and before.get(key) != after.get(key):
                assert isinstance(old, Node | Run | None)
                if isinstance(new, Node) and isinstance(key, NodeKey):
                    self._node_changed(key, old if isinstance(old, Node) else Node(), new)
                elif isinstance(new, Run):
                    self._run_changed(key, old if isinstance(old, Run) else None, new)
                elif not self._expired(before.get(RunKey(key.run))):
                    raise Violation(f"{key} vanished")

    def _node_changed(self, key: NodeKey, old: Node, new: Node) -> None:
        if old.phase.ended and replace(old, untold=()) == replace(new, untold=()):
            return
        if old.phase.ended:
            raise Violation(f"{key} had ended as {old.phase} and became {new}")
        if len(new.arrived) > 32 or len(new.history) > 32:
            raise Violation(f"{key} has grown: {new}")
        if not set(old.arrived) <= set(new.arrived):
            raise Violation(f"{key} has lost members: {old.arrived}, {new.arrived}")
        self._jobs_are_over(key, new)
        self._passed_over(key, new)
        if new.items is not None and new.phase.ended:
            self._list_is_done(key, new.items.count, new)
        if item_of(key.node) is not None and isinstance(new.phase, Succeeded) and new.phase.adopted:
            self._same_item(key, new)
        self._history_tells(key, old, new)

    def _list_is_done(self, key: NodeKey, count: int, whole: Node) -> None:
        """A step with a list ends when each of its items has ended or never begins, by how many failed."""
        if isinstance(whole.phase, Succeeded) and whole.phase.adopted:
            return
        run = self.world.store.read([RunKey(key.run)])[RunKey(key.run)].doc
        assert isinstance(run, Run)
        step = self.world.plans[run.plan].step_node(key.node).step
        nodes = [self._node(key.run, item_name(key.node, index)) for index in range(count)]
        phases = [node.phase for node in nodes if node != Node()]
        if not all(phase.ended for phase in phases):
            raise Violation(f"{key} became {whole.phase} with its items {phases}")
        failed = sum(isinstance(phase, Failed) for phase in phases)
        done = sum(isinstance(phase, Succeeded | Failed) for phase in phases)
        wanted: type = Succeeded if done == count else Cancelled
        if failed > step.allow_failures.of(count):
            wanted = Failed
        if type(whole.phase) is not wanted:
            raise Violation(f"{key} became {whole.phase}, but {failed} failed of {done} of {count} items")

    def _same_item(self, key: NodeKey, new: Node) -> None:
        """Taken over is the result of the very item."""
        assert isinstance(new.phase, Succeeded)
        if new.phase.output != {"ok": key.node} and "run" not in (new.phase.output or {}):
            raise Violation(f"{key} took over {new.phase}")

    def _begins(self, key: NodeKey, new: Document | None, run: Versioned | None) -> None:
        """Nothing begins in a run that is being cancelled (a process that froze may not have seen it)."""
        doc = run.doc if run is not None else None
        begins = isinstance(new, Node) and isinstance(new.phase, Queued | Submitting)
        if (
            begins
            and isinstance(doc, Run)
            and doc.state not in (RunState.RUNNING, RunState.QUEUED)
            and not self._step(key, doc).always
            and not (doc.overran and key.node == ON_FAILURE)
            and not self.world.faults.freeze
        ):
            raise Violation(f"{key} begins in a run that is {doc.state}")

    def _is_let_in(self, key: NodeKey, run: Versioned | None) -> None:
        """Nothing of a run begins while it waits for admission."""
        if run is not None and isinstance(run.doc, Run) and run.doc.began is None:
            raise Violation(f"{key} is there in a run that is {run.doc.state}")

    def _jobs_are_over(self, key: NodeKey, new: Node) -> None:
        """An end, and the wait for another attempt, rest on what the jobs came to."""
        over = new.phase.ended or (isinstance(new.phase, Backoff) and new.phase.attempt != new.attempt)
        if over and any(not run.state.ended for run in self._children(key)):
            raise Violation(f"{key} became {new.phase} while a run of it goes on")
        jobs = [job for job in self.world.service.made if job.of == (key.run, key.node)]
        states = [job.state(self.world.time) for job in jobs]
        if over and JobState.RUNNING in states:
            raise Violation(f"{key} became {new.phase} while a job of it runs")
        own = isinstance(new.phase, Succeeded) and new.phase.adopted is None and not _has_no_job(key, new)
        own = own and not (new.attempt == 0 and self._step(key).step.unless_exists)
        states += [_AS_JOB[run.state] for run in self._children(key) if run.state.ended]
        if own and JobState.SUCCEEDED not in states:
            raise Violation(f"{key} became {new.phase}, but its jobs are {states}")

    def _step(self, key: NodeKey, run: Run | None = None) -> StepNode:
        """Of the plan that the run follows."""
        if run is None:
            found = self.world.store.read([RunKey(key.run)])[RunKey(key.run)].doc
            assert isinstance(found, Run)
            run = found
        return self.world.plans[run.plan].step_node(key.node)

    def _passed_over(self, key: NodeKey, new: Node) -> None:
        """A step that never began has a reason for just that: a failure outranks a skip."""
        if key.node.startswith("~") or new.attempt or not isinstance(new.phase, Skipped | UpstreamFailed):
            return
        step = self._step(key).step
        needs = [self._node(key.run, need).phase for need in step.needs]
        failed = any(isinstance(phase, BAD) for phase in needs)
        match step.when, new.phase:
            case "success", UpstreamFailed():
                right = failed
            case _, UpstreamFailed():
                right = False
            case _ if step.condition is not None and called_for(step.when, needs):
                right = True
            case "success", _:
                right = not failed and any(isinstance(phase, Skipped) for phase in needs)
            case when, _:
                right = when == "failure" and not failed
        if not right:
            raise Violation(f"{key} became {new.phase} by `{step.when}` after {needs}")

    def _children(self, key: NodeKey) -> list[Run]:
        """The runs that were started for this step."""
        docs = (doc for _, doc in self.world.store.runs(limit=1_000))
        return [
            doc for doc in docs if (doc.trigger.get("run"), doc.trigger.get("step")) == (key.run, key.node)
        ]

    def _history_tells(self, key: NodeKey, old: Node, new: Node) -> None:
        states = [entry.state for entry in new.history]
        if (states[-1] if states else "waiting") != new.phase.__struct_config__.tag:
            raise Violation(f"{key} is {new.phase}, but its history ends with {states[-1:]}")
        told = new.spilled + len(new.history) - old.spilled - len(old.history)
        if told < 0 or (told == 0 and old.phase != new.phase):
            raise Violation(f"{key} became {new.phase}, but its history does not say so")
        known = states if new.spilled else ["waiting", *states]
        for this, following in pairwise(known[-told - 1 :]):
            if following not in MOVES.get(this, ()):
                raise Violation(f"{key} went from {this} to {following}")

    def _run_changed(self, key: Key, old: Run | None, new: Run) -> None:
        assert isinstance(key, RunKey)
        self.runs.add(key.run)
        awaited = NodeKey(new.trigger.get("run", ""), new.trigger.get("step", ""))
        if (
            old is None
            and "~" not in key.run
            and awaited.run
            and self._node(awaited.run, awaited.node).phase.ended
        ):
            raise Violation(f"{key} began although its step {awaited} has ended")
        if old is not None and old.state.ended and replace(old, untold=()) == replace(new, untold=()):
            return
        if old is not None and old.state.ended:
            raise Violation(f"{key} had ended as {old.state} and became {new}")
        if new.state is RunState.SKIPPED and (old is None or old.state is not RunState.QUEUED):
            raise Violation(f"{key} was skipped after it had begun")
        if old is not None and (old.plan, old.params) != (new.plan, new.params):
            raise Violation(f"{key} follows another plan: {old}, {new}")
        self._kept_its_deadline(key, old, new)
        begins = old is None or (old.state is RunState.QUEUED and new.state is RunState.RUNNING)
        if old is not None and old.started != new.started and not begins:
            raise Violation(f"{key} started once more: {old}, {new}")
        if new.state.ended and new.began is not None:
            self._handled(key, new)
            well = True
            for name, node in self.world.plans[new.plan].step_nodes():
                found = self._node(key.run, name)
                phase = found.phase
                if found.items is not None:
                    self._list_is_done(NodeKey(key.run, name), found.items.count, found)
                if not phase.ended:
                    raise Violation(f"{key} ended as {new.state} while {name} is {phase}")
                asked = node.step.condition is not None and isinstance(phase, Skipped)
                if node.always and not asked and not isinstance(phase, Succeeded | Failed):
                    raise Violation(f"{key} ended as {new.state}, but {name} did not run to its end: {phase}")
                handles = name == ON_FAILURE
                well = well and (handles or isinstance(phase, Succeeded | Skipped))
            overran = old is not None and old.overran
            if (well and not overran) != (new.state is RunState.SUCCEEDED):
                raise Violation(f"{key} ended as {new.state}, but its steps say otherwise")

    def _kept_its_deadline(self, key: RunKey, old: Run | None, new: Run) -> None:
        """Who overruns has failed, and nobody is stopped for it before."""
        deadline = self.world.plans[new.plan].pipeline.deadline
        if old is not None and old.overran and new.state.ended and new.state is not RunState.FAILED:
            raise Violation(f"{key} overran and ended as {new.state}")
        if new.overran and (deadline is None or self.world.time < new.started + deadline - 2_000_000):
            raise Violation(f"{key} was stopped before its deadline")

    def _was_stopped_in_time(self, run: str, doc: Run) -> None:
        """No run goes on for long after its deadline, however long what always runs may take."""
        deadline = self.world.plans[doc.plan].pipeline.deadline
        if deadline is None or self._was_cancelled(run):
            return
        took = (doc.ended or 0) - doc.started
        slack = 10 * MINUTE if self.world.faults.calm else 12 * HOUR
        if took > deadline + slack and "stopped after its deadline" not in (doc.error or ""):
            raise Violation(f"{run} took {took / MINUTE:.0f} minutes, and was not stopped after {deadline}")

    def announced(self, facts: Sequence[Announce]) -> None:
        """What is told is so: a fact is published after the commit that made it true."""
        for fact in facts:
            self.told[fact.id] += 1
            run = self._run(fact.run or "")
            if run is None:
                raise Violation(f"{fact.kind} of {fact.run} was told, which is not there")
            if fact.kind == "run_ended" and fact.state != run.state.value:
                raise Violation(f"{fact.run} was told to be {fact.state}, and is {run.state}")
            if fact.kind == "step_failed" and not isinstance(
                self._node(fact.run or "", fact.node or "").phase, Failed
            ):
                raise Violation(f"{fact.node} of {fact.run} was told to have failed, which it has not")

    def _all_was_told(self, run: str, doc: Run) -> None:
        """Each fact at least once, whatever crashed between it and the publisher."""
        plan = self.world.plans[doc.plan]
        facts = {("run_ended", "", 0)} | ({("run_started", "", 0)} if doc.began is not None else set())
        if doc.late:
            facts.add(("run_late", "", 0))
        for name, _ in plan.step_nodes():
            node = self._node(run, name)
            if isinstance(node.phase, Failed):
                facts.add(("step_failed", name, node.attempt))
            if node.late:
                facts.add(("step_late", name, node.late))
        for kind, name, attempt in facts:
            told = self.told[announcement_id(kind, run, name, str(attempt))]
            if kind in plan.pipeline.announce and not told:
                raise Violation(f"{kind} of {run} {name} was never told")
            if self.world.faults.calm and told > 2:  # others may pass by before it is crossed out
                raise Violation(f"{kind} of {run} {name} was told {told} times although nothing went wrong")

    def _run(self, run: str) -> Run | None:
        found = self.world.store.read([RunKey(run)]).get(RunKey(run))
        return found.doc if found is not None and isinstance(found.doc, Run) else None

    def _expired(self, run: Versioned | None) -> bool:
        doc = run.doc if run is not None else None
        return isinstance(doc, Run) and doc.ended is not None and self.world.time > doc.ended + KEPT

    def at_the_end(self) -> None:
        """Every run has ended, no job is alive, and nobody looked at a job without a reason."""
        for run, doc in self.world.store.runs(limit=1_000):
            if not doc.state.ended:
                raise Violation(f"run {run} never ended: {doc.state}")
            self.world.counts[doc.state.value] += 1
            self._all_was_told(run, doc)
            self._was_stopped_in_time(run, doc)
        alive = self.world.service.alive()
        if alive:
            raise Violation(f"still running: {[job.request.name for job in alive]}")
        self.gates.at_the_end()
        if self.world.faults.calm:
            for job in self.world.service.made:
                self._looked_at_once(job)

    def _looked_at_once(self, job: Job) -> None:
        """Without faults, a job that was not stopped or lost is read when it ends, and only then."""
        first = job.request.step.expect_within or check_wait(job.request.step, 0)
        if job.request.again or job.cancelled_at is not None or job.final is JobState.LOST:
            return
        if job.ends - job.begins < first - 5_000_000 and job.reads != self.world.reads_per_job(job):
            raise Violation(f"the status of {job.request.name} was read {job.reads} times")

    def when_all_has_expired(self) -> None:
        """Nothing is kept for ever."""
        left = self.world.store.runs(limit=1_000)
        if left:
            raise Violation(f"never expired: {left}")
        for run in self.runs:
            nodes = self.world.store.first(run, "any", 1_000)
            if nodes:
                raise Violation(f"never expired: {nodes}")
        if self.world.queue:
            raise Violation(f"never came to rest: {self.world.queue[:3]}")
