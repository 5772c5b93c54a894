from __future__ import annotations

from typing import Any

import pytest
from onward.core.naming import JobName
from onward.ingress.completions import parse
from onward.ingress.facts import NOT_OURS, Doorbell, Ignored, Poison
from unit.ingress.envelopes import OURS, RUN, binary, doorbell, ours, payload, pushed, structured, unwrapped

OWNER = JobName(RUN, 3, 2)
P, R = "invented-project", "us-central1"
OPERATION = "2f2f2f2f-1111-3222-8333-444444444444"


@pytest.mark.parametrize(
    "name", ["dataproc_submit_job_last_done.logentry", "dataproc_submit_job_last_error.logentry"]
)
def test_the_last_entry_of_a_job_on_a_cluster_rings_whatever_became_of_it(name: str):
    assert doorbell(parse(pushed(ours(name)))) == Doorbell("dataproc", "job", P, R, OURS, OWNER)


@pytest.mark.parametrize(
    "name", ["dataproc_create_batch_last_failed.logentry", "dataproc_create_batch_last_succeeded.logentry"]
)
def test_the_last_entry_of_a_batch_rings_whatever_became_of_it(name: str):
    assert doorbell(parse(pushed(ours(name)))) == Doorbell("dataproc", "batch", P, R, OURS, OWNER)


def test_both_ways_to_submit_a_job_ring():
    entry = ours("dataproc_submit_job_last_done.logentry")
    entry["protoPayload"]["methodName"] = "google.cloud.dataproc.v1.JobController.SubmitJob"
    assert doorbell(parse(pushed(entry))).owner == OWNER


@pytest.mark.parametrize("method", ["InstantiateWorkflowTemplate", "InstantiateInlineWorkflowTemplate"])
def test_a_workflow_template_rings_for_its_operation(method: str):
    entry = payload("dataproc_instantiate_workflow_template_last.logentry")
    entry["protoPayload"]["methodName"] = f"google.cloud.dataproc.v1.WorkflowTemplateService.{method}"
    assert doorbell(parse(pushed(entry))) == Doorbell("dataproc", "template", P, R, OPERATION)


@pytest.mark.parametrize("name", ["dataproc_create_cluster_last", "dataproc_delete_cluster_last"])
def test_the_last_entry_of_a_clusters_life_rings(name: str):
    assert doorbell(parse(pushed(ours(f"{name}.logentry")))) == Doorbell(
        "dataproc", "cluster", P, R, OURS, OWNER
    )
    assert parse(pushed(payload(f"{name}.logentry"))) == Ignored(NOT_OURS)


def operation(**members: Any) -> Any:
    entry = ours("dataproc_submit_job_last_done.logentry")
    entry["operation"] = members or None
    return parse(pushed(entry))


def test_an_operation_that_ends_as_it_begins_rings():
    assert doorbell(operation(id="o", first=True, last=True)).owner == OWNER


def test_an_operation_that_begins_does_not_ring():
    assert operation(id="o", first=True) == Ignored("the operation has only begun")
    assert operation(id="o") == Ignored("the operation has only begun")
    for name in ("dataproc_submit_job_first", "dataproc_create_cluster_first"):
        assert parse(pushed(payload(f"{name}.logentry"))) == Ignored("the operation has only begun")


def test_a_refusal_without_an_operation_does_not_ring():
    refused = Ignored("without an operation it was refused at once, and its caller knows")
    assert operation() == refused
    assert parse(pushed(payload("dataproc_create_cluster_sync_rejected.logentry"))) == refused


@pytest.mark.parametrize("wrap", [structured, binary])
def test_an_entry_rings_through_every_way_that_it_can_take(wrap):
    audited = payload("dataproc_submit_job_last_done.eventarc_audit_cloudevent")
    entry = ours("dataproc_submit_job_last_done.logentry")
    assert doorbell(parse(wrap(audited | {"data": entry}))).owner == OWNER
    assert doorbell(parse(unwrapped(entry))).owner == OWNER


@pytest.mark.parametrize("wrap", [structured, binary])
@pytest.mark.parametrize("name", ["done", "failed_flex_launcher"])
def test_dataflows_own_event_rings_for_a_final_state(wrap, name: str):
    event = ours(f"dataflow_status_changed_{name}")
    job = event["data"]["payload"]["id"]
    assert doorbell(parse(wrap(event))) == Doorbell("dataflow", "job", P, R, job, OWNER)


@pytest.mark.parametrize("state", ["DONE", "UPDATED", "DRAINED", "FAILED", "CANCELLED"])
def test_each_final_state_of_dataflow_rings(state: str):
    event = ours("dataflow_status_changed_done")
    event["data"]["payload"]["currentState"] = f"JOB_STATE_{state}"
    assert doorbell(parse(structured(event))).owner == OWNER


@pytest.mark.parametrize("state", ["PENDING", "QUEUED", "CANCELLING", "DRAINING", "NEW\n"])
def test_no_other_state_of_dataflow_rings(state: str):
    event = ours("dataflow_status_changed_done")
    event["data"]["payload"]["currentState"] = f"JOB_STATE_{state}"
    found = parse(structured(event))
    assert isinstance(found, Ignored)
    assert found.reason.endswith("which is not final")
    assert "\n" not in found.reason


def test_a_dataflow_job_that_runs_rings_as_one_that_begins():
    event = ours("dataflow_status_changed_done")
    assert not doorbell(parse(structured(event))).begins
    event["data"]["payload"]["currentState"] = "JOB_STATE_RUNNING"
    found = doorbell(parse(structured(event)))
    assert (found.owner, found.begins) == (OWNER, True)


def test_a_dataflow_event_may_lack_all_but_its_name_and_state():
    event = ours("dataflow_status_changed_done")
    event["data"]["payload"] = {"name": OURS, "currentState": "JOB_STATE_DONE"}
    assert doorbell(parse(structured(event))) == Doorbell("dataflow", "job", "", "", OURS, OWNER)


def test_a_dataflow_jobs_last_message_is_a_second_bell():
    entry = ours("dataflow_job_message_launcher_failed.logentry")
    found = doorbell(parse(pushed(entry)))
    assert found == Doorbell("dataflow", "job", P, R, "2026-09-01_02_00_01-2234567890123456789", OWNER)
    assert doorbell(parse(pushed(entry | {"textPayload": "Worker pool stopped."}))).owner == OWNER


def test_no_other_message_of_a_dataflow_job_rings():
    entry = ours("dataflow_job_message_launcher_failed.logentry") | {"textPayload": "Starting 1 workers..."}
    assert parse(pushed(entry)) == Ignored("the job's message does not speak of its end")


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_an_execution_that_ended_rings_by_its_id(state: str):
    execution = "00000000-1111-4222-8333-444444444444"
    found = doorbell(parse(pushed(payload(f"workflows_execution_{state}.logentry"))))
    assert found == Doorbell("workflows", "execution", P, R, execution, parent="invented-daily-report")


def test_an_execution_that_began_does_not_ring():
    entry = payload("workflows_execution_succeeded.logentry")
    entry["jsonPayload"]["state"] = "ACTIVE"
    assert parse(pushed(entry)) == Ignored("the execution is in state `ACTIVE`, which is not final")


@pytest.mark.parametrize("label", ["project_id", "location", "workflow_id"])
def test_an_execution_that_can_not_be_found_again_is_poison(label: str):
    entry = payload("workflows_execution_succeeded.logentry")
    del entry["resource"]["labels"][label]
    assert isinstance(parse(pushed(entry)), Poison)
    entry["resource"]["labels"][label] = "a/b"
    assert isinstance(parse(pushed(entry)), Poison)


def test_a_job_can_ring_by_a_message_of_attributes_alone():
    assert doorbell(parse(pushed(b"", {"onward-job": OURS}))).owner == OWNER
    assert parse(pushed(b"", {"onward-job": "somebody-elses"})) == Ignored(NOT_OURS)


@pytest.mark.parametrize(
    "name",
    [
        "dataproc_submit_job_last_done.logentry",
        "dataproc_create_batch_last_failed.logentry",
        "dataflow_job_message_launcher_failed.logentry",
    ],
)
def test_an_entry_about_a_job_that_is_not_ours_is_ignored(name: str):
    assert parse(pushed(payload(name))) == Ignored(NOT_OURS)


def test_a_state_change_of_a_job_that_is_not_ours_is_ignored():
    assert parse(structured(payload("dataflow_status_changed_done"))) == Ignored(NOT_OURS)


@pytest.mark.parametrize("name", ["bigquery_job_change_done", "cloud_run_job_execution_succeeded"])
def test_entries_of_other_services_are_ignored(name: str):
    assert isinstance(parse(pushed(payload(f"{name}.logentry"))), Ignored)


def test_other_methods_of_dataproc_are_ignored():
    entry = ours("dataproc_submit_job_last_done.logentry")
    entry["protoPayload"]["methodName"] = "google.cloud.dataproc.v1.JobController.DeleteJob"
    assert isinstance(parse(pushed(entry)), Ignored)


def test_other_events_are_ignored():
    assert isinstance(parse(structured(payload("gcs_object_finalized"))), Ignored)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"[]", {"protoPayload": "x"}, {"resource": {"labels": {"a": 1}}}]
)
def test_a_message_that_holds_no_log_entry_is_poison(data):
    found = parse(pushed(data))
    assert isinstance(found, Poison)
    assert found.reason.startswith("a log entry must be JSON such as")
