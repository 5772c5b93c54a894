"""What only Cloud Workflows has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud.services.worlds import ExecutionWorld
from contract.service_contract import FixedClock, ref_of, request, submitted
from msgspec.structs import replace
from onward.core.errors import NotFound
from onward.core.events import JobState
from onward.core.pipeline import Step, Workflow
from onward.local.standins.workflows import State
from onward.ports import Accepted, Declined
from onward.services.clients import Clients
from onward.services.settings import Settings
from onward.services.workflows import workflows


@pytest.fixture
def world() -> Iterator[ExecutionWorld]:
    with ExecutionWorld().open() as world:
        yield world


def test_an_execution_gets_the_args_as_json_and_our_labels(world: ExecutionWorld) -> None:
    ref = submitted(world)
    execution = world.workflows.executions[str(ref.job)]
    assert execution.argument == '{"date":"2026-11-22","rows":[1,2]}'
    assert execution.labels["onward-job"] == ref.name
    assert execution.labels["team"] == "weather"


def test_an_argument_of_32_kb_is_passed_and_a_larger_one_is_declined(world: ExecutionWorld) -> None:
    largest = 32 * 1024 - len('{"a":""}')
    fits, larger = ({"a": "x" * (largest + more)} for more in (0, 1))
    step = Step("publish", Workflow("publish.yaml", larger))
    answer = world.service.submit(replace(request(world), step=step))
    assert answer == Declined(
        "`args`: 32,769 bytes of JSON, and Cloud Workflows takes 32,768; "
        "write what is large to an object, and pass its URI"
    )
    assert world.submits == 0
    step = Step("publish", Workflow("publish.yaml", fits))
    assert isinstance(world.service.submit(replace(request(world), step=step)), Accepted)


def test_a_failed_execution_says_what_was_raised_and_where(world: ExecutionWorld) -> None:
    ref = submitted(world)
    world.workflows.end(str(ref.job), State.FAILED, "", '{"code":404,"tags":["HttpError"]}', "in step x")
    assert world.service.status(ref).error == '{"code":404,"tags":["HttpError"]}\nin step x'


@pytest.mark.parametrize("state", [State.QUEUED, State.UNAVAILABLE, State.STATE_UNSPECIFIED])
def test_an_execution_whose_state_is_not_final_runs(world: ExecutionWorld, state: State) -> None:
    ref = submitted(world)
    world.workflows.executions[str(ref.job)].state = state
    assert world.service.status(ref).state is JobState.RUNNING


@pytest.mark.parametrize(
    ("result", "output"), [("", None), ("null", None), ("3", 3), ("not json", "not json")]
)
def test_the_result_is_the_output_whatever_it_is(world: ExecutionWorld, result: str, output: object) -> None:
    ref = submitted(world)
    world.workflows.end(str(ref.job), State.SUCCEEDED, result)
    assert world.service.status(ref).output == output


def test_of_two_executions_the_older_counts_and_the_other_is_stopped(world: ExecutionWorld) -> None:
    first, second = submitted(world), submitted(world)
    assert first.job != second.job
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(first.job), rings=False)
    assert world.running() == [first.job]


def test_a_cancel_reaches_every_execution_of_the_attempt(world: ExecutionWorld) -> None:
    first, second = submitted(world), submitted(world)
    other = submitted(world, attempt=2)
    assert len({first.job, second.job, other.job}) == 3
    world.service.cancel(second)
    assert world.running() == [other.job]


def test_an_execution_tells_whose_it_is_when_its_log_entry_does_not(world: ExecutionWorld) -> None:
    ref = submitted(world)
    found = world.service.look(str(ref.job))
    assert found is not None
    assert found.labels["onward-job"] == ref.name
    assert world.service.look(f"{ref.job}0") is None


def test_a_definition_that_was_not_deployed_is_declined_and_has_no_jobs(world: ExecutionWorld) -> None:
    def nowhere(run: str, source: str) -> str:
        raise NotFound(f"{source} was not deployed with the plan of run {run}")

    service = workflows(Settings("p", "r"), nowhere, Clients(), FixedClock())
    answer = service.submit(request(world))
    assert answer == Declined("publish.yaml was not deployed with the plan of run 0123456789abcdef0123")
    assert service.status(ref_of(request(world))).state is JobState.NOT_FOUND
    service.cancel(ref_of(request(world)))
