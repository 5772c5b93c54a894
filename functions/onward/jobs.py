"""From a decided attempt to a job that a service understands, and from its status back to an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC
from typing import Any

import msgspec
from msgspec.structs import replace

from onward import failures
from onward.core.commands import Submit
from onward.core.errors import UserError
from onward.core.events import ItemList, JobState, Verdict
from onward.core.manifests import LAZY, decode, summary
from onward.core.naming import item_of, job_name, try_number
from onward.core.params import Moment, objects
from onward.core.pipeline import ON_FAILURE, ON_SUCCESS, Cluster, Dataproc, DeleteCluster, Drain, Step
from onward.core.plan import Plan
from onward.core.state import Document, Key, Node, NodeKey, Run, RunKey, Succeeded
from onward.core.templates import names, render, render_text, texts
from onward.items import Lists, expand, named, outputs
from onward.ports import EphemeralCluster, JobRef, JobRequest, Objects, Reads, Status, Versioned

LARGEST_OUTPUT = 32 * 1024
"""Bytes of JSON that a node's document holds; a larger output is written to an object."""
LONGEST_ERROR = 4_000
"""Characters of an error that are kept; the job's log has the rest."""


class Jobs:
    """Builds job requests and references, and verdicts."""

    def __init__(self, store: Reads, objects: Objects) -> None:
        self._store = store
        self._objects = objects
        self._lists = Lists(objects)
        self._needed: dict[tuple[str, str], tuple[str, ...] | None] = {}
        """By plan and node: what its templates name; None where nothing is to be rendered."""

    def reading(self, store: Reads) -> Jobs:
        """The same, with its documents from there."""
        other = copy(self)
        other._store = store
        return other

    def request(self, plan: Plan, command: Submit) -> JobRequest:
        """The rendered job of an attempt. Raises `UserError` when a template can't be rendered."""
        run, node, attempt = command.run, command.node, command.attempt
        return JobRequest(
            name=job_name(node, run, plan.step_node(node).number, attempt),
            run=run,
            node=node,
            attempt=attempt,
            pipeline=plan.pipeline.name,
            plan=plan.name,
            step=self.rendered(plan, run, node, attempt),
            until=command.until,
            again=command.again,
            cluster=self._cluster(plan, run, node, attempt),
            target=self._target(plan, run, plan.step_node(node).step),
        )

    def ref(self, plan: Plan, run: str, node: str, attempt: int, job: str | None) -> JobRef:
        """The job of an attempt, by its derived name."""
        found = plan.step_node(node)
        name = job_name(node, run, found.number, attempt)
        return JobRef(name, run, node, attempt, found.step, job, ephemeral(plan, run, found.step))

    def _cluster(self, plan: Plan, run: str, node: str, attempt: int) -> EphemeralCluster | None:
        """The cluster of the pipeline's own, rendered: the same for each step of a run that may create it."""
        step = plan.step_node(node).step
        found = ephemeral(plan, run, step)
        if found is None or isinstance(step.does, DeleteCluster):
            return found
        written = msgspec.to_builtins(found.cluster)
        needed = tuple({name for text in texts(written) for name in names(text)})
        if not needed:
            return found
        cluster = render(written, self._context(plan, run, node, attempt, needed))
        return replace(found, cluster=msgspec.convert(cluster, Cluster))

    def _target(self, plan: Plan, run: str, step: Step) -> JobRef | None:
        """The job that a step drains."""
        if not isinstance(step.does, Drain):
            return None
        key = NodeKey(run, step.does.step)
        found = self._store.read([key]).get(key)
        if found is None or not isinstance(found.doc, Node):
            return None
        node = found.doc
        if not node.attempt and not node.phase.ended:
            return None
        ref = self.ref(plan, run, step.does.step, node.attempt, node.job)
        return replace(ref, over=node.phase.ended)

    def rendered(self, plan: Plan, run: str, node: str, attempt: int) -> Step:
        """The step with its templates rendered. Raises `UserError` when that can't be done."""
        step = plan.step_node(node).step
        key = (plan.name, (item_of(node) or (node,))[0])
        if key not in self._needed:
            written = list(texts([msgspec.to_builtins(step.does), step.outputs, step.resources]))
            found = tuple({name for text in written for name in names(text)})
            self._needed[key] = found if any("{" in text for text in written) else None
        needed = self._needed[key]
        if needed is None:
            return step
        context = self._context(plan, run, node, attempt, needed)
        does = msgspec.convert(render(msgspec.to_builtins(step.does), context), type(step.does))
        made = tuple(render_text(output, context) for output in step.outputs)
        return replace(step, does=does, outputs=made, resources=render(step.resources, context))

    def values(self, plan: Plan, run: str, node: str, templates: Sequence[str]) -> list[Any]:
        """What templates of the step give before its first attempt. Raises `UserError`."""
        named = {name for template in templates for name in names(template)}
        context = self._context(plan, run, node, 1, tuple(named))
        return [render(template, context) for template in templates]

    def trigger(self, run: str) -> Mapping[str, Any]:
        """What started the run."""
        found = self._store.read([RunKey(run)])[RunKey(run)].doc
        assert isinstance(found, Run)
        return found.trigger

    def are_newer(self, outputs: Sequence[str], inputs: Sequence[str]) -> bool:
        """Whether all outputs and inputs are there, and no output is older than an input."""
        made = [self._objects.ages(uri) for uri in outputs]
        if not all(made) or not inputs:
            return False
        given = [self._objects.ages(uri) for uri in inputs]
        oldest = min(ages.oldest for ages in made if ages)
        return all(ages is not None and ages.newest <= oldest for ages in given)

    def _context(
        self, plan: Plan, run: str, node: str, attempt: int, needed: tuple[str, ...]
    ) -> dict[str, Any]:
        upstream = {parts[1] for name in needed if len(parts := name.split(".")) > 1 and parts[0] == "steps"}
        of, index = item_of(node) or (node, None)
        read = upstream if index is None else upstream | {of}
        keys: list[Key] = [RunKey(run), *(NodeKey(run, name) for name in sorted(read))]
        docs = self._store.read(keys)
        found = docs[RunKey(run)].doc
        assert isinstance(found, Run)
        values = objects(plan.pipeline.params, found.params)
        steps = {}
        for name in upstream:
            versioned = docs.get(NodeKey(run, name))
            steps[name] = self._results(run, name, versioned.doc, needed) if versioned is not None else {}
            if f"steps.{name}.outputs" in needed:
                steps[name]["outputs"] = list(self.rendered(plan, run, name, attempt).outputs)
        return {
            **values,
            "params": values,
            "env": plan.env,
            "trigger": self._trigger(found.trigger, needed),
            "run": {
                "id": run,
                "pipeline": found.pipeline,
                "started": Moment.fromtimestamp(found.started / 1_000_000, UTC),
                "try": try_number(run),
                **(failures.facts(self._store, plan, run, found) if node in (ON_FAILURE, ON_SUCCESS) else {}),
            },
            "steps": steps,
            "step": {"name": of, "attempt": attempt},
            **({} if index is None else self._item(plan, of, index, docs.get(NodeKey(run, of)))),
        }

    def _trigger(self, facts: dict[str, Any], needed: tuple[str, ...]) -> dict[str, Any]:
        """As templates see them, with what of a set is too large for the run's document, if it is named."""
        if isinstance(facts.get("time"), str):
            facts = {**facts, "time": Moment.fromisoformat(facts["time"])}
        heads = {".".join(name.split(".")[:2]) for name in needed}
        lazy = {"trigger", *(f"trigger.{fact}" for fact in LAZY)}
        if "manifest" not in facts or "uris" in facts or not heads & lazy:
            return facts
        return {**facts, **summary(decode(self._objects.get(facts["manifest"])))}

    def _item(self, plan: Plan, of: str, index: int, whole: Versioned | None) -> dict[str, Any]:
        each = plan.step_node(of).step.for_each
        assert each is not None, "only a step with a `for_each` has items"
        assert whole is not None, "an item begins after its list was frozen"
        assert isinstance(whole.doc, Node)
        assert whole.doc.items is not None
        return named(each, index, self._lists.item(whole.doc.items, index))

    def list_of(self, run: str, node: str) -> ItemList | None:
        """The list over which this step ran in that run, if it came to it."""
        key = NodeKey(run, node)
        found = self._store.read([key]).get(key)
        return found.doc.items if found is not None and isinstance(found.doc, Node) else None

    def frozen(self, plan: Plan, run: str, node: str) -> ItemList:
        """The list of a step's `for_each`, written down. Raises `UserError` when there can be none."""
        each = plan.step_node(node).step.for_each
        assert each is not None, "only a step with a `for_each` has a list"
        needed = tuple({name for text in texts(msgspec.to_builtins(each)) for name in names(text)})
        return self._lists.freeze(expand(each, self._context(plan, run, node, 1, needed), self._objects))

    def _results(self, run: str, name: str, node: Document, needed: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(node, Node):
            return {}
        state = str(node.phase.__struct_config__.tag)
        if not isinstance(node.phase, Succeeded):
            return {"state": state}
        if node.items is not None:
            asked = (each.split(".")[2:3] for each in needed if each.startswith(f"steps.{name}"))
            if not any(part in ([], ["output"]) for part in asked):
                return {"state": state}
            composed = outputs(self._store, self._objects, run, name, node)
            return {"state": state, "output": composed}
        output = node.phase.output
        if node.phase.output_uri is not None:
            output = msgspec.json.decode(self._objects.get(node.phase.output_uri))
        return {"state": state, "output": output}

    def verdict(
        self,
        plan: Plan,
        ref: JobRef,
        status: Status,
        *,
        belled: bool = True,
        orphaned: bool = False,
    ) -> Verdict:
        """What a status means: without its declared outputs a success is none; a large output moves out."""
        said = Verdict(
            ref.run,
            ref.node,
            ref.attempt,
            status.state,
            status.job,
            error=status.error[:LONGEST_ERROR],
            belled=belled,
            orphaned=orphaned,
        )
        if status.state is not JobState.SUCCEEDED:
            return said
        try:
            missing = self.missing_outputs(plan, ref.run, ref.node, ref.attempt)
        except UserError as error:
            return replace(said, state=JobState.FAILED, error=f"its outputs can't be looked up: {error}")
        if missing:
            lacking = f"the job succeeded, but its declared output {missing[0]} is not there"
            return replace(said, state=JobState.FAILED, error=lacking)
        if isinstance(status.output, str | list | dict):
            body = msgspec.json.encode(status.output)
            if len(body) > LARGEST_OUTPUT:
                return replace(said, output_uri=self._objects.put(f"outputs/{ref.run}/{ref.name}.json", body))
        return replace(said, output=status.output)

    def missing_outputs(self, plan: Plan, run: str, node: str, attempt: int) -> list[str]:
        """The declared outputs that are not there."""
        if not plan.step_node(node).step.outputs:
            return []
        step = self.rendered(plan, run, node, attempt)
        return [uri for uri in step.outputs if not self._objects.exists(uri)]


def ephemeral(plan: Plan, run: str, step: Step) -> EphemeralCluster | None:
    """The cluster of the pipeline's own that a step runs on or deletes, if it does."""
    match step.does:
        case Dataproc(cluster=str() as name) | DeleteCluster(cluster=name):
            cluster = plan.pipeline.cluster(name)
        case _:
            cluster = None
    if cluster is None:
        return None
    number = plan.step_node(f"~delete-{cluster.name}").number
    return EphemeralCluster(run, plan.pipeline.name, cluster, number)
