"""What Terraform makes is what the code looks for, under the same names."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from onward import settings, wiring
from onward.core.state import Run, RunState
from onward.ingress import completions, dataflow, dataproc, workflows
from onward.receiver import SEVERITY
from onward.stores.firestore_queries import INDEXES, UNINDEXED
from terraform.applying import CONFIGURATION, LEAST, State, Terraform
from terraform.granted import number_of

FUNCTIONS = CONFIGURATION.parent / "functions"


def test_what_compile_writes_is_what_terraform_reads(terraform: Terraform, tmp_path: Path) -> None:
    """The repository's own pipelines, with an env that has the names of the buckets to come."""
    env = {name: f"acme-data-onward-{name}" for name in ("landing", "reports", "work")}
    (tmp_path / "env.yaml").write_text(json.dumps(env))
    onward = [sys.executable, "-c", "from onward.cli.main import main; main()"]
    subprocess.run(
        [*onward, "compile", "-o", tmp_path / "build", "--env", tmp_path / "env.yaml"],
        cwd=FUNCTIONS.parent,
        env={**os.environ, "PYTHONPATH": str(FUNCTIONS)},
        check=True,
    )
    values = json.loads(LEAST.read_text())
    given = [f"-var={name}={values[name]}" for name in ("project", "region", "archive")]
    sample = CONFIGURATION / "sample.tfvars"
    planned = terraform.plan(sample, *given, deployment=tmp_path / "build/deployment.json")
    assert 'module.storage.google_storage_notification.this["landing"] will be created' in planned
    assert "google_workflows_workflow.this" in planned


def deployed(state: State) -> dict[str, dict[str, Any]]:
    """The functions by entry point."""
    found = state.of("google_cloudfunctions2_function")
    return {each["build_config"][0]["entry_point"]: each for each in found}


def test_every_entry_point_is_deployed(applied: State) -> None:
    tree = ast.parse((FUNCTIONS / "main.py").read_text())
    names = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    entries = {name for name in names if not name.startswith("_")}
    assert entries <= deployed(applied).keys()
    assert deployed(applied).keys() - entries <= {"console"}


def test_the_buildpack_is_told_where_the_entry_points_are(applied: State) -> None:
    for each in deployed(applied).values():
        (build,) = each["build_config"]
        assert build["environment_variables"] == {"GOOGLE_FUNCTION_SOURCE": "functions/main.py"}
        assert build["runtime"] == "python311"


def test_the_settings_of_every_function_are_read_without_complaint(applied: State) -> None:
    for each in deployed(applied).values():
        found = settings.read(each["service_config"][0]["environment_variables"], Path("/archive/functions"))
        assert (found.project, found.deployment) == ("acme-data", "onward")
        assert found.jobs.labels == {"team": "data", "env": "prod", "onward": "onward"}
        assert found.jobs.subnetwork.endswith("/subnetworks/jobs")


def test_every_setting_is_one_that_the_code_knows(applied: State) -> None:
    given = deployed(applied)["on_wake"]["service_config"][0]["environment_variables"]
    known = {f"ONWARD_{name.upper()}" for name in settings.Settings.__struct_fields__ if name != "jobs"}
    known |= {f"ONWARD_JOB_{name.upper()}" for name in settings.JobSettings.__struct_fields__}
    assert given.keys() <= known
    # What is left out has a default that is right: the archive's own folder, project and region as above.
    assert known - given.keys() == {
        "ONWARD_WORKFLOWS",
        "ONWARD_JOB_PROJECT",
        "ONWARD_JOB_REGION",
        "ONWARD_JOB_NETWORK",
    }


def test_the_names_in_the_settings_are_those_of_what_was_made(applied: State) -> None:
    given = deployed(applied)["on_wake"]["service_config"][0]["environment_variables"]
    topics = {each["name"] for each in applied.of("google_pubsub_topic")}
    assert {given[f"ONWARD_{each}_TOPIC"] for each in ("WAKE", "COMPLETIONS", "DEAD_LETTER")} <= topics
    queues = {each["name"] for each in applied.of("google_cloud_tasks_queue")}
    assert {given["ONWARD_TIMER_QUEUE"], given["ONWARD_PYTHON_QUEUE"]} == queues
    assert given["ONWARD_DATABASE"] == applied.one("google_firestore_database")["name"]
    buckets = {each["name"] for each in applied.of("google_storage_bucket")}
    assert given["ONWARD_WORK_BUCKET"] in buckets
    assert given["ONWARD_JOB_STAGING_BUCKET"] in buckets
    assert given["ONWARD_JOB_TEMP_LOCATION"].split("/")[2] in buckets
    accounts = {each["email"] for each in applied.of("google_service_account")}
    assert {value for name, value in given.items() if name.endswith("_ACCOUNT")} <= accounts


@pytest.mark.parametrize(("setting", "function"), [("TIMER", "on_timer"), ("PYTHON", "run_python")])
def test_a_function_that_tasks_call_is_told_its_address_before_it_is_there(
    applied: State, setting: str, function: str
) -> None:
    each = deployed(applied)[function]
    number = number_of(applied)
    url = f"https://{each['name']}-{number}.{each['location']}.run.app"
    assert each["service_config"][0]["environment_variables"][f"ONWARD_{setting}_URL"] == url
    assert len(url.removeprefix("https://").split(".")[0]) <= 63


def test_every_alert_on_a_line_waits_for_words_that_the_code_writes(applied: State) -> None:
    words = {"state": {*map(str, RunState), "overdue", "crowded"}, "outcome": set(SEVERITY)}
    asked = {
        (label, value)
        for alert in applied.of("google_monitoring_alert_policy")
        for threshold in alert["conditions"][0]["condition_threshold"]
        for label, value in re.findall(r'metric\.labels\.(\w+)="(\w+)"', threshold["filter"])
    }
    assert asked == {("state", "failed"), ("state", "overdue"), ("state", "crowded"), ("outcome", "crashed")}
    assert [each for each in asked if each[1] not in words[each[0]]] == []


def test_every_metric_reads_fields_that_the_code_writes(
    applied: State, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring._tell("0123456789abcdef0123", Run("weather", "p", RunState.FAILED, 0, {}, {}), "failed")
    written = json.loads(capsys.readouterr().out).keys() | {"door", "outcome"}
    for metric in applied.of("google_logging_metric"):
        said = f"{metric['filter']} {metric['label_extractors']}"
        assert set(re.findall(r"jsonPayload\.(\w+)", said)) <= written


def test_the_indexes_are_exactly_those_that_the_queries_need(applied: State) -> None:
    made = {
        (each["collection"], tuple((field["field_path"], field["order"]) for field in each["fields"]))
        for each in applied.of("google_firestore_index")
    }
    assert made == {(index.collection, index.fields) for index in INDEXES}
    assert {each["query_scope"] for each in applied.of("google_firestore_index")} == {"COLLECTION"}


def test_the_fields_without_index_are_exactly_those_that_no_query_names(applied: State) -> None:
    fields = applied.of("google_firestore_field")
    assert {(each["collection"], each["field"]) for each in fields} == {
        (collection, field) for collection, names in UNINDEXED.items() for field in names
    }
    assert [each["index_config"] for each in fields] == [[{"indexes": []}]] * len(fields)
    assert [each for each in fields if each["ttl_config"]] == [], (
        "the last timer of a run removes its documents"
    )


def test_the_filter_of_the_sinks_lets_through_what_the_code_understands(applied: State) -> None:
    for sink in applied.of("google_logging_project_sink"):
        said = sink["filter"]
        assert f'protoPayload.serviceName="{dataproc.SERVICE}"' in said
        methods = dataproc._METHOD.pattern.replace(r"\.", "[.]")
        assert f'protoPayload.methodName=~"^{methods}$"' in said
        assert f'log_id("{workflows.EXECUTIONS}")' in said
        assert " OR ".join(f'"{state}"' for state in workflows._TERMINAL) in said
        assert f'log_id("{dataflow.JOB_MESSAGE}")' in said
        assert " OR ".join(f'"{words}"' for words in dataflow._LAST_WORDS) in said


def test_eventarc_sends_what_the_code_understands(applied: State) -> None:
    for trigger in applied.of("google_eventarc_trigger"):
        criteria = {each["attribute"]: each["value"] for each in trigger["matching_criteria"]}
        assert criteria == {"type": dataflow.STATUS_CHANGED}
    assert completions.RING == "onward-job"
