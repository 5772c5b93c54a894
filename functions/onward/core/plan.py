"""Pipeline → Plan: the graph that runs follow, with bounded degree, named by its content.

Every node waits for exactly one other (`after`) and has at most `WIDTH` successors (`next`):

    a step with several needs          waits for a gather of them; steps with equal needs share one gather
    a gather of more than WIDTH        becomes a tree of gathers
    more than WIDTH successors         become a tree of scatters
    the run's end                      waits for the gather of all steps that nothing else waits for
    handlers                           wait for that gather, too, and then the run's end waits for them
    what must be cleaned up            becomes a step of its own that runs in every ending: an ephemeral
                                       cluster's deletion, the draining of a streaming job

So 300 steps that each need the same 300 are 600 edges and a few helpers, not 90,000 edges, and no transition
or document grows with the size of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from onward.core.naming import group_of, item_name, item_of
from onward.core.pipeline import (
    MINUTE,
    Dataflow,
    Dataproc,
    DeleteCluster,
    Drain,
    Pipeline,
    Retry,
    Step,
)

WIDTH = 32
END = "~end"
PATIENT = Retry(attempts=10, backoff=MINUTE)
"""How cleaning up is tried again."""


class StepNode(msgspec.Struct, frozen=True, tag="step"):
    """Runs one step. `number` is its place in the plan, used in job names."""

    step: Step
    number: int
    after: str | None
    next: tuple[str, ...] = ()
    always: bool = False
    """Runs in a run that is being cancelled, too; no cancel stops it."""


class Gather(msgspec.Struct, frozen=True, tag="gather"):
    """Is done when all of its children (`of`) are."""

    of: tuple[str, ...]
    next: tuple[str, ...] = ()


class Scatter(msgspec.Struct, frozen=True, tag="scatter"):
    """Passes the end of `after` on to more successors than one transition may touch. Has no state."""

    after: str | None
    next: tuple[str, ...] = ()


class End(msgspec.Struct, frozen=True, tag="end"):
    """The run ends when `after` has, as what `last` came to."""

    after: str
    last: str
    """Ends with the last of the steps; the same as `after` where no handler comes in between."""


class Lanes(msgspec.Struct, frozen=True):
    """Starts and joins a group of the lanes of the step `of`. Follows from the step: no plan names it."""

    of: str


PlanNode = StepNode | Gather | Scatter | End


class Plan(msgspec.Struct, frozen=True):
    """What a run follows from its first event to its last, whatever is deployed meanwhile."""

    pipeline: Pipeline
    nodes: dict[str, PlanNode]
    roots: tuple[str, ...]
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    """Name → content hash of each file of the pipeline's folder."""
    name: str = ""
    """128 bits of the hash of all the rest, in hex."""

    def encode(self) -> bytes:
        """As JSON: equal plans are equal bytes."""
        return msgspec.json.encode(replace(self, name=""), order="deterministic")

    def step_nodes(self) -> Iterable[tuple[str, StepNode]]:
        """The nodes that run steps: those of the file in its order, then the compiled ones."""
        found = ((name, node) for name, node in self.nodes.items() if isinstance(node, StepNode))
        return sorted(found, key=lambda each: each[1].number)

    def numbered(self, number: int, item: int | None = None) -> str | None:
        """The name of the step of this number, or of an item of it, if there is one."""
        if number < len(self.pipeline.steps):
            step = self.pipeline.steps[number]
            if (item is None) == (step.for_each is None):
                return step.name if item is None else item_name(step.name, item)
            return None
        compiled = (name for name, node in self.nodes.items() if _number(node) == number)
        return next(compiled, None)

    def node(self, name: str) -> PlanNode | Lanes | None:
        """The node of this name; None if there is none.

        An item of a `for_each` is a step of its own, which waits for what its step waits for, and which
        nothing waits for: `maps` says what follows it.
        """
        found = self.nodes.get(name)
        if found is not None:
            return found
        item, group = item_of(name), group_of(name)
        step = self.nodes.get((item or group or ("",))[0])
        if not isinstance(step, StepNode) or step.step.for_each is None:
            return None
        if item is None:
            return Lanes(step.step.name)
        of_one = replace(step.step, for_each=None, condition=None)
        return StepNode(of_one, step.number, step.after, always=step.always)

    def step_node(self, name: str) -> StepNode:
        """The node that runs this step, or this item of a step; KeyError if there is none."""
        node = self.node(name)
        if not isinstance(node, StepNode):
            raise KeyError(name)
        return node


def _number(node: PlanNode) -> int | None:
    return node.number if isinstance(node, StepNode) else None


def decode_plan(encoded: bytes) -> Plan:
    """The plan that `Plan.encode` wrote, with its name."""
    return _named(msgspec.json.decode(encoded, type=Plan))


def _named(plan: Plan) -> Plan:
    return replace(plan, name=hashlib.sha256(plan.encode()).hexdigest()[:32])


def compile_plan(
    pipeline: Pipeline, env: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> Plan:
    """The plan of a pipeline that the loader has checked: no cycle, every need known."""
    return _named(_Compiler(pipeline).compile(dict(env or {}), dict(files or {})))


class _Compiler:
    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.steps = (*pipeline.steps, *_cleaning(pipeline))
        self.order = {step.name: number for number, step in enumerate(self.steps)}
        self.gathers: dict[tuple[str, ...], str] = {}
        self.children: dict[str, tuple[str, ...]] = {}
        self.consumers: dict[str | None, list[str]] = {}
        self.scatters: dict[str, Scatter] = {}
        self.helpers = 0

    def compile(self, env: dict[str, str], files: dict[str, str]) -> Plan:
        after = {step.name: self.source(step.needs) for step in self.steps}
        for step in self.steps:
            self.consumers.setdefault(after[step.name], []).append(step.name)
        # What may succeed after a failure hides that failure, so the run waits for both.
        told = {need for step in self.steps if step.when == "success" for need in step.needs}
        last = self.source([step.name for step in self.steps if step.name not in told])
        assert last is not None, "the loader refuses a pipeline without steps"
        handlers = self.pipeline.handlers
        self.consumers.setdefault(last, []).extend(step.name for step in handlers)
        names = tuple(step.name for step in handlers)
        end = End(self.gather(names) if len(names) > 1 else names[0] if names else last, last)
        self.consumers.setdefault(end.after, []).append(END)

        nodes: dict[str, PlanNode] = {}
        for number, step in enumerate(self.steps):
            following, always = self.successors(step.name), step.when == "always"
            nodes[step.name] = StepNode(step, number, after[step.name], following, always)
        for number, step in enumerate(handlers, len(self.steps)):
            nodes[step.name] = StepNode(step, number, last, self.successors(step.name))
        for name, of in self.children.items():
            nodes[name] = Gather(of, self.successors(name))
        roots = self.successors(None)
        nodes |= self.scatters
        nodes[END] = end
        return Plan(self.pipeline, nodes, roots, env, files)

    def source(self, needs: Iterable[str]) -> str | None:
        """The one node whose end means that all of `needs` have ended."""
        children = tuple(sorted(set(needs), key=self.order.__getitem__))
        if len(children) < 2:
            return children[0] if children else None
        if children not in self.gathers:
            self.gathers[children] = self.gather(children)
        return self.gathers[children]

    def gather(self, children: tuple[str, ...]) -> str:
        while len(children) > WIDTH:
            children = tuple(self.gather(part) for part in _even_parts(children))
        name = self.helper("gather")
        self.children[name] = children
        for child in children:
            self.consumers.setdefault(child, []).append(name)
        return name

    def successors(self, name: str | None) -> tuple[str, ...]:
        following = tuple(self.consumers.get(name, ()))
        while len(following) > WIDTH:
            parts = []
            for part in _even_parts(following):
                scatter = self.helper("scatter")
                self.scatters[scatter] = Scatter(name, part)
                parts.append(scatter)
            following = tuple(parts)
        return following

    def helper(self, kind: str) -> str:
        self.helpers += 1
        return f"~{kind}{self.helpers}"


def _cleaning(pipeline: Pipeline) -> Iterable[Step]:
    """The steps that nobody wrote: what the others leave behind is cleaned up, whatever became of them."""
    for cluster in pipeline.clusters:
        users = [step.name for step in pipeline.steps if _cluster(step) == cluster.name]
        if users:
            does = DeleteCluster(cluster.name)
            yield Step(f"~delete-{cluster.name}", does, tuple(users), PATIENT, when="always")
    for step in pipeline.steps:
        if isinstance(step.does, Dataflow) and step.does.until is not None:
            until = (step.does.until,)
            yield Step(f"~drain-{step.name}", Drain(step.name), until, PATIENT, when="always")


def _cluster(step: Step) -> str | None:
    return step.does.cluster if isinstance(step.does, Dataproc) else None


def _even_parts(names: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """At most WIDTH names each, as evenly filled as can be, in order."""
    count = -(-len(names) // WIDTH)
    return (names[len(names) * i // count : len(names) * (i + 1) // count] for i in range(count))
