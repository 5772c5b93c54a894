"""How events come in: every one has a way, a retry and a place to go when it can't be dealt with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from terraform.applying import DEPLOYMENT, State
from terraform.granted import Grant, account, functions, last, leads_to, made, member, number_of

ASKED = json.loads(DEPLOYMENT.read_text())


def test_every_subscription_has_a_dead_letter_that_its_agent_may_publish_to(applied: State) -> None:
    agent = member(f"service-{number_of(applied)}@gcp-sa-pubsub.iam.gserviceaccount.com")
    subscriptions = applied.of("google_pubsub_subscription")
    kept = {each["topic"]: each for each in subscriptions if not each["push_config"]}
    grants = made(applied)
    for each in subscriptions:
        assert each["expiration_policy"][0]["ttl"] == "", each["name"]
        if each["topic"] in kept:
            continue
        (policy,) = each["dead_letter_policy"]
        assert policy["max_delivery_attempts"] == 100
        assert policy["dead_letter_topic"] in kept, "dead letters that nobody keeps"
        dead = last(policy["dead_letter_topic"])
        assert Grant(agent, "roles/pubsub.publisher", "topic", dead) in grants
        assert Grant(agent, "roles/pubsub.subscriber", "subscription", each["name"]) in grants
    assert {each["message_retention_duration"] for each in kept.values()} == {"2678400s"}


def test_every_push_is_retried_signed_and_allowed(applied: State) -> None:
    services = {each["service_config"][0]["uri"]: each["name"] for each in functions(applied)}
    for each in applied.of("google_pubsub_subscription"):
        for push in each["push_config"]:
            (retry,), (token,) = each["retry_policy"], push["oidc_token"]
            assert retry["maximum_backoff"] == "600s"
            endpoint, _, _ = push["push_endpoint"].partition("?")
            assert token["audience"] == endpoint
            service = services[endpoint]
            caller = member(token["service_account_email"])
            assert Grant(caller, "roles/run.invoker", "function", service) in made(applied)


def test_a_function_is_called_by_its_route_and_by_nobody_else(applied: State) -> None:
    callers = {each["name"]: set[str]() for each in functions(applied)}
    for each in made(applied):
        if each.on == "function":
            assert each.role == "roles/run.invoker"
            callers[each.name].add(each.member)
    push, tasks = member(account("push")), member(account("tasks"))
    assert callers == {
        **{f"onward-on-{each}": {push} for each in ("object", "message", "command", "wake", "job-event")},
        "onward-on-timer": {tasks},
        "onward-run-python": {tasks},
        "onward-console": {"group:data@example.com"},
    }


def test_functions_take_requests_from_inside_only_but_for_the_console(applied: State) -> None:
    outside = {
        each["name"]
        for each in functions(applied)
        if each["service_config"][0]["ingress_settings"] != "ALLOW_INTERNAL_ONLY"
    }
    assert outside == {"onward-console"}


def test_no_function_has_a_trigger_of_its_own(applied: State) -> None:
    """It would bring a subscription without a dead letter."""
    assert [each["name"] for each in functions(applied) if each["event_trigger"]] == []


def test_every_watched_bucket_tells_of_its_objects(applied: State) -> None:
    told = {each["bucket"]: each for each in applied.of("google_storage_notification")}
    assert told.keys() == set(ASKED["buckets"])
    for each in told.values():
        assert each["topic"] == applied.outputs["topics"]["object"]
        assert each["event_types"] == ["OBJECT_FINALIZE"]
        assert each["payload_format"] == "JSON_API_V1"
    assert leads_to(applied, applied.outputs["topics"]["object"]) == "onward-on-object"


@pytest.mark.parametrize("topic", ASKED["topics"])
def test_every_topic_of_a_pipeline_starts_runs(applied: State, topic: str) -> None:
    assert leads_to(applied, applied.outputs["topics"].get(f"start-{topic}", topic)) == "onward-on-message"


@pytest.mark.parametrize("schedule", ASKED["schedules"], ids=lambda each: each["name"])
def test_every_schedule_of_a_pipeline_rings(applied: State, schedule: dict[str, Any]) -> None:
    job = applied.one("google_cloud_scheduler_job", name=f"onward-{schedule['name']}")
    assert (job["schedule"], job["time_zone"]) == (schedule["cron"], schedule["time_zone"])
    (target,) = job["http_target"]
    number = number_of(applied)
    assert target["uri"] == f"https://onward-on-timer-{number}.europe-west1.run.app"
    assert target["oidc_token"][0]["service_account_email"] == account("tasks")


@pytest.mark.parametrize("topic", ["start", "command", "wake", "completions"])
def test_every_topic_leads_to_its_function(applied: State, topic: str) -> None:
    names = {"start": "message", "completions": "job-event"}
    found = leads_to(applied, applied.outputs["topics"][topic])
    assert found == f"onward-on-{names.get(topic, topic)}"


def test_a_sink_of_every_job_project_may_publish(applied: State) -> None:
    sinks = applied.of("google_logging_project_sink")
    assert {each["project"] for each in sinks} == {"acme-data", "acme-jobs"}
    for each in sinks:
        assert each["destination"] == "pubsub.googleapis.com/projects/acme-data/topics/onward-completions"
        assert each["unique_writer_identity"]
        grant = Grant(each["writer_identity"], "roles/pubsub.publisher", "topic", "onward-completions")
        assert grant in made(applied)


def test_dataflow_rings_in_every_region_and_its_trigger_may_call(applied: State) -> None:
    triggers = applied.of("google_eventarc_trigger")
    assert {each["location"] for each in triggers} == {"europe-west1"}
    for each in triggers:
        assert each["destination"][0]["cloud_run_service"][0]["service"] == "onward-on-job-event"
        caller = member(each["service_account"])
        assert Grant(caller, "roles/eventarc.eventReceiver", "project", "acme-data") in made(applied)
        assert Grant(caller, "roles/run.invoker", "function", "onward-on-job-event") in made(applied)


def test_no_timer_is_ever_given_up(applied: State) -> None:
    queues = applied.of("google_cloud_tasks_queue")
    assert {each["name"] for each in queues} == {"onward-timers", "onward-python"}
    assert {each["retry_config"][0]["max_attempts"] for each in queues} == {-1}
