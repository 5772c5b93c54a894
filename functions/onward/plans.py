"""The plans that runs follow, kept in memory once read: a plan's name is its content, so it never changes."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from contextlib import suppress

import msgspec

from onward.core.commands import Put
from onward.core.errors import Conflict, Unavailable, UserError
from onward.core.plan import Plan, decode_plan
from onward.core.state import PlanKey, Run, RunKey, StoredPlan
from onward.ports import Store, Write

LARGEST = 900_000
"""Bytes, compressed: a Firestore document holds a million."""
_KEPT_PLANS = 64
_KEPT_RUNS = 20_000


def packed(plan: Plan) -> bytes:
    """The plan as it is stored. Raises `UserError` if it is too large."""
    body = zlib.compress(plan.encode(), 6)
    if len(body) > LARGEST:
        raise UserError(
            f"pipeline {plan.pipeline.name} is too large: its plan takes {len(body):,} bytes of at most "
            f"{LARGEST:,}; split it into pipelines that start one another"
        )
    return body


class Plans:
    """Looks up plans by name and by run, and stores new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._of_run: OrderedDict[str, str] = OrderedDict()

    def add(self, plan: Plan) -> str:
        """Store the plan if it is new; returns its name. Raises `UserError` if it is too large."""
        if plan.name in self._plans:
            return plan.name
        body = packed(plan)
        key = PlanKey(plan.name)
        if not self._store.read([key]):
            with suppress(Conflict):  # somebody else stored the same content
                self._store.commit([Write(Put(key, StoredPlan(body)), 0)])
        self._keep(plan)
        return plan.name

    def get(self, name: str) -> Plan | None:
        """The plan of that name, or None if it was never stored. Raises `Unavailable` for one that this code
        can't read.
        """
        plan = self._plans.get(name)
        if plan is None:
            found = self._store.read([PlanKey(name)]).get(PlanKey(name))
            if found is None or not isinstance(found.doc, StoredPlan):
                return None
            try:
                plan = decode_plan(zlib.decompress(found.doc.body))
            except (zlib.error, msgspec.MsgspecError) as error:
                raise Unavailable(f"the plan {name} can't be read: {error}") from error
            self._keep(plan)
        return plan

    def of_run(self, run: str) -> Plan | None:
        """The plan that a run began with, or None if there is no such run. A run never changes its plan."""
        name = self._of_run.get(run)
        if name is None:
            found = self._store.read([RunKey(run)]).get(RunKey(run))
            if found is None or not isinstance(found.doc, Run):
                return None
            name = found.doc.plan
            self._of_run[run] = name
            if len(self._of_run) > _KEPT_RUNS:
                self._of_run.popitem(last=False)
        return self.get(name)

    def _keep(self, plan: Plan) -> None:
        self._plans[plan.name] = plan
        if len(self._plans) > _KEPT_PLANS:
            self._plans.popitem(last=False)
