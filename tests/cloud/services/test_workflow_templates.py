"""What only Dataproc's workflow templates have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud.services.worlds import TemplateWorld
from contract.service_contract import ref_of, request, submitted
from msgspec.structs import replace
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import HOUR, MINUTE, Dataproc, Step
from onward.ports import Accepted, Declined
from onward.services import owners
from onward.services.clients import Clients


class Templates(TemplateWorld):
    """`clients` is what the entry points would ask with."""

    clients: Clients

    def connect(self, clients: Clients) -> Any:
        self.clients = clients
        return super().connect(clients)

    @property
    def owner(self) -> str | None:
        """Whose the one workflow is, as its bell would be asked."""
        (name,) = self.dataproc.running_workflows()
        owned = owners.workflow(self.clients, name)
        return None if owned is None else owned.name


MANAGED = {
    "placement": {"managedCluster": {"clusterName": "daily", "config": {}}},
    "jobs": [{"stepId": "clean", "pigJob": {}}, {"stepId": "totals", "pigJob": {}}],
}


@pytest.fixture
def world() -> Iterator[Templates]:
    with Templates().open() as world:
        yield world


def instantiated(world: Templates, template: dict[str, Any], timeout: int | None = None) -> Any:
    """What this becomes."""
    step = Step("daily_totals", Dataproc(template=template), timeout=timeout)
    answer = world.service.submit(replace(request(world), step=step))
    assert isinstance(answer, Accepted), answer
    return world.dataproc.templates[answer.job]


def test_a_template_is_run_as_the_service_writes_it_with_our_labels(world: Templates) -> None:
    made = instantiated(world, MANAGED | {"labels": {"mine": "too", "onward-run": "forged"}})
    assert made.placement.managed_cluster.cluster_name == "daily"
    assert [job.step_id for job in made.jobs] == ["clean", "totals"]
    assert dict(made.labels) == {
        "mine": "too",
        "team": "weather",
        "onward-job": request(world).name,
        "onward-run": "run-0123456789abcdef0123",
        "onward-step": "daily-totals",
        "onward-attempt": "attempt-1",
        "onward-pipeline": "weather",
    }


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(2 * HOUR, 7_500), (MINUTE, 600), (24 * HOUR, 0), (None, 0)]
)
def test_its_jobs_end_by_themselves_a_little_after_the_time_limit(
    world: Templates, timeout: int | None, seconds: int
) -> None:
    assert instantiated(world, MANAGED, timeout).dag_timeout.total_seconds() == seconds


def test_a_time_limit_of_its_own_counts(world: Templates) -> None:
    assert instantiated(world, MANAGED | {"dagTimeout": "1200s"}, HOUR).dag_timeout.total_seconds() == 1_200


@pytest.mark.parametrize("refuses", [False, True])
def test_a_repeat_while_it_runs_finds_it_however_the_service_answers(world: Templates, refuses: bool) -> None:
    world.dataproc.refuses = refuses
    first = submitted(world)
    for again in (False, True):
        answer = world.service.submit(replace(request(world), again=again))
        assert isinstance(answer, Accepted)
        assert answer.job == first.job


def test_a_repeat_of_what_has_not_begun_is_not_run_twice(world: Templates) -> None:
    world.dataproc.waits = True
    first = submitted(world)
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(first.job))
    world.dataproc.refuses = True
    with pytest.raises(Unavailable, match="does not show it"):
        world.service.submit(replace(request(world), again=True))
    assert len(world.running()) == 1


def test_a_repeat_after_its_end_finds_it_by_its_jobs(world: Templates) -> None:
    first = submitted(world)
    world.succeed(str(first.job))
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(first.job), rings=False)
    assert world.service.status(replace(first, job=None)).state is JobState.SUCCEEDED


def test_one_whose_cluster_is_being_created_is_found_by_its_cluster(world: Templates) -> None:
    step = Step("daily_totals", Dataproc(template=MANAGED))
    asked = replace(request(world), step=step)
    first = world.service.submit(asked)
    assert isinstance(first, Accepted)
    world.dataproc.refuses = True
    assert world.service.submit(replace(asked, again=True)) == replace(first, rings=False)
    world.dataproc.finish(first.job, code=9, message="Multiple errors: no quota")
    assert world.service.submit(replace(asked, again=True)) == replace(first, rings=False)
    status = world.service.status(ref_of(asked))
    assert (status.state, status.error) == (JobState.FAILED, "Multiple errors: no quota")


def test_one_among_many_operations_is_found(world: Templates) -> None:
    world.dataproc.page_size = 2
    first = submitted(world)
    for _ in range(5):
        world.plant("others")
    assert world.service.status(replace(first, job=None)).job == first.job


def test_of_two_workflows_the_older_counts_and_the_other_is_stopped(world: Templates) -> None:
    first = submitted(world)
    world.succeed(str(first.job))
    second = submitted(world)
    assert first.job != second.job
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(first.job), rings=False)
    assert world.running() == []


def test_a_node_that_failed_fails_it_although_its_operation_ended_well(world: Templates) -> None:
    ref = submitted(world)
    world.dataproc.finish(str(ref.job), {"clean": "no such column", "totals": "clean failed"})
    status = world.service.status(ref)
    assert (status.state, status.error) == (
        JobState.FAILED,
        "clean: no such column\ntotals: clean failed",
    )


def test_what_ended_without_having_run_anything_is_no_success(world: Templates) -> None:
    ref = submitted(world)
    world.dataproc.finish(str(ref.job))
    world.dataproc.forget_nodes(str(ref.job))
    status = world.service.status(ref)
    assert (status.state, status.error) == (
        JobState.FAILED,
        "the workflow ended before all of its jobs were done",
    )


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"name": "x"}, "`template`: remove `name`: an inline template is nowhere kept"),
        ({"jobs": 3}, "`template` is no google.cloud.dataproc.v1.WorkflowTemplate"),
        ({"jobs": []}, "a template needs jobs and a placement (INVALID_ARGUMENT)"),
    ],
)
def test_a_wrong_template_is_declined(world: Templates, template: dict[str, Any], said: str) -> None:
    step = Step("daily_totals", Dataproc(template=template))
    answer = world.service.submit(replace(request(world), step=step))
    assert isinstance(answer, Declined)
    assert said in answer.error


def test_a_workflow_tells_whose_it_is_by_its_jobs(world: Templates) -> None:
    submitted(world)
    assert world.owner == request(world).name


def test_a_workflow_tells_whose_it_is_by_the_creation_of_its_cluster(world: Templates) -> None:
    instantiated(world, MANAGED)
    assert world.owner == request(world).name


def test_a_workflow_that_made_nothing_and_what_is_none_are_nobodys(world: Templates) -> None:
    world.dataproc.waits = True
    ref = submitted(world)
    assert world.owner is None
    assert owners.workflow(world.clients, f"{ref.job}0") is None
    for code, name in (("PERMISSION_DENIED", str(ref.job)), ("NOT_FOUND", str(ref.job))):
        world.dataproc.fault("GetOperation", code)
        assert owners.workflow(world.clients, name) is None
    world.dataproc.fault("GetOperation", "UNAVAILABLE")
    with pytest.raises(Unavailable, match="did not say whose"):
        owners.workflow(world.clients, str(ref.job))


def test_somebody_elses_workflow_is_nobodys(world: Templates) -> None:
    world.plant("x")
    assert world.owner is None
