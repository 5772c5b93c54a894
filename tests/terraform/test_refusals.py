"""What is wrong is refused when it is planned, in a sentence that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from terraform.applying import EMPTY, LEAST, VERSIONS, Failed, Terraform

pytestmark = pytest.mark.parametrize("terraform", VERSIONS[-1:], indirect=True)  # no provider has a say in it

SCHEDULE = {"name": "nightly", "cron": "every night", "time_zone": "Etc/UTC", "pipeline": "p"}

WRONG_VALUES = [
    ("region", "europe-west1-b", "`region` must be a region such as europe-west1: not a zone"),
    ("region", "europe-wets1", "`region` must be a region such as europe-west1"),
    (
        "firestore_location",
        "europe",
        "location must be a region such as europe-west1, or a multi-region",
    ),
    ("prefix", "our-team-of-data-people", "`prefix` must have at most 16 characters"),
    ("prefix", "on~ward", "`prefix` must be lower-case letters, digits and hyphens"),
    ("project", "My Project", "`project` must be a project id such as my-project"),
    ("database", "Onward", "`database` must be (default), or 4 to 63"),
    ("kms_key", "my-key", "`kms_key` must be null or a key's full name"),
    ("kms_key", "projects/k/locations/us-east1/keyRings/r/cryptoKeys/c", "A key serves one place"),
    ("archive", "gs://acme-code/functions.zip", "`archive` must be an object named by its hash"),
    ("job_roles", ["roles/editor"], "`job_roles` must not hold a basic role"),
    ("starters", ["allUsers"], "nothing is ever public"),
    ("commanders", ["allAuthenticatedUsers"], "nothing is ever public"),
    ("console", {"enabled": True, "members": ["allUsers"]}, "nothing is ever public"),
    ("buckets", {"landing": {"jobs": "all"}}, "must be none, read or write"),
    ("job_projects", {"acme-jobs": {"regions": ["EU"]}}, "must be regions such as europe-west1"),
    ("python", {"memory": "lots"}, "`python` must be such as"),
    ("labels", {"Team": "Data"}, "`labels` must be such as"),
    ("autoscaling_policies", {"etl": {"max_workers": 1}}, "needs at least 2 `min_workers`"),
]
WRONG_DEPLOYMENTS = [
    ({"buckets": ["somebody-elses"]}, "A pipeline watches somebody-elses, but the buckets are"),
    ({"env": {"landing": "weather-landing"}}, "landing is acme-data-onward-landing, not weather-landing"),
    ({"schedules": [SCHEDULE]}, "A schedule does not parse: nightly (every night). Write five fields"),
    (
        {"schedules": [{**SCHEDULE, "cron": "0 3 * * *", "time_zone": "12"}]},
        "must be a name such as Europe/Berlin",
    ),
    (
        {"pipelines": {"p": {"projects": ["acme-new"]}}},
        "in acme-new: add the project to `job_projects`",
    ),
    ({"pipelines": {"p": {"regions": ["us-east1"]}}}, "runs jobs in us-east1: add the region to its project"),
    ({"version": 2}, "deployment.json is of version 2"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG_VALUES, ids=lambda each: str(each)[:30])
def test_a_wrong_value_is_refused(
    terraform: Terraform, tmp_path: Path, name: str, value: Any, said: str
) -> None:
    variables = tmp_path / "wrong.tfvars.json"
    variables.write_text(json.dumps({**json.loads(LEAST.read_text()), name: value}))
    assert said in refusal(terraform, variables, EMPTY)


@pytest.mark.parametrize(("deployment", "said"), WRONG_DEPLOYMENTS, ids=lambda each: str(each)[:40])
def test_a_deployment_that_does_not_fit_is_refused(
    terraform: Terraform, tmp_path: Path, deployment: dict[str, Any], said: str
) -> None:
    file = tmp_path / "deployment.json"
    file.write_text(json.dumps({**json.loads(EMPTY.read_text()), **deployment}))
    assert said in refusal(terraform, LEAST, file)


def test_pipelines_that_do_not_compile_leave_no_deployment_to_plan(
    terraform: Terraform, tmp_path: Path
) -> None:
    said = refusal(terraform, LEAST, tmp_path / "deployment.json")
    assert "run `onward compile workflows -o build` first" in said


@pytest.mark.parametrize("asked", ["firestore_location", "database", "kms_key"])
def test_what_can_not_be_changed_later_has_no_default(
    terraform: Terraform, tmp_path: Path, asked: str
) -> None:
    variables = tmp_path / "incomplete.tfvars.json"
    given = json.loads(LEAST.read_text())
    del given[asked]
    variables.write_text(json.dumps(given))
    assert f'The root module input variable "{asked}" is not set' in refusal(terraform, variables, EMPTY)


def refusal(terraform: Terraform, variables: Path, deployment: Path) -> str:
    """What terraform said as it refused to plan."""
    with pytest.raises(Failed) as refused:
        terraform.plan(variables, deployment=deployment)
    return str(refused.value)
