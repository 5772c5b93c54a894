from __future__ import annotations

from pathlib import Path

import pytest
from onward.core.errors import UserError
from onward.services.settings import Settings as JobSettings
from onward.settings import Settings, read

HERE = Path("/srv")
NEEDED = {
    "ONWARD_PROJECT": "my-project",
    "ONWARD_REGION": "europe-west1",
    "ONWARD_WORK_BUCKET": "my-work",
    "ONWARD_TIMER_URL": "https://on-timer.example.com",
    "ONWARD_TIMER_ACCOUNT": "timers@my-project.iam.gserviceaccount.com",
    "ONWARD_PYTHON_URL": "https://run-python.example.com",
    "ONWARD_PYTHON_ACCOUNT": "tasks@my-project.iam.gserviceaccount.com",
}


def test_what_must_be_set_is_enough():
    settings = read(NEEDED, HERE)
    assert settings == Settings(
        deployment="",
        pyspark_bell="",
        project="my-project",
        region="europe-west1",
        work_bucket="my-work",
        timer_url="https://on-timer.example.com",
        timer_account="timers@my-project.iam.gserviceaccount.com",
        timer_queue="onward-timers",
        python_url="https://run-python.example.com",
        python_account="tasks@my-project.iam.gserviceaccount.com",
        python_queue="onward-python",
        wake_topic="onward-wake",
        completions_topic="onward-completions",
        dead_letter_topic="onward-dead-letter",
        announcement_topic="onward-announcements",
        database="(default)",
        code_bucket="my-work",
        workflows=HERE / "workflows",
        jobs=JobSettings("my-project", "europe-west1"),
    )
    assert settings.queue("q") == "projects/my-project/locations/europe-west1/queues/q"
    assert settings.topic("t") == "projects/my-project/topics/t"


def test_jobs_may_run_elsewhere():
    extra = {
        "ONWARD_JOB_PROJECT": "jobs-project",
        "ONWARD_JOB_SUBNETWORK": "s",
        "ONWARD_JOB_LABELS": "team=data, env = prod",
    }
    jobs = read(NEEDED | extra, HERE).jobs
    assert jobs == JobSettings(
        "jobs-project", "europe-west1", subnetwork="s", labels={"team": "data", "env": "prod"}
    )


def test_an_empty_variable_is_not_set():
    assert read(NEEDED | {"ONWARD_DATABASE": "", "ONWARD_JOB_NETWORK": ""}, HERE) == read(NEEDED, HERE)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(UserError) as refused:
        read({"ONWARD_PROJECT": "My Project", "ONWARD_TIMER_URL": "x\n", "ONWARD_JOB_LABELS": "Team=1"}, HERE)
    assert str(refused.value).splitlines() == [
        "ONWARD_PROJECT must be a project id such as my-project, not `My Project`",
        "ONWARD_REGION is not set; it must be a region such as europe-west1",
        "ONWARD_WORK_BUCKET is not set; it must be a bucket's name, without gs://",
        "ONWARD_TIMER_URL must be a URL such as https://on-timer-abc.a.run.app, not `x\\n`",
        "ONWARD_TIMER_ACCOUNT is not set; it must be a service account's e-mail address",
        "ONWARD_PYTHON_URL is not set; it must be a URL such as https://run-python-abc.a.run.app",
        "ONWARD_PYTHON_ACCOUNT is not set; it must be a service account's e-mail address",
        "ONWARD_JOB_LABELS must be such as team=data, env=prod, not `Team=1`",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONWARD_WORK_BUCKET", "gs://my-work"),
        ("ONWARD_WAKE_TOPIC", "projects/p/topics/t"),
        ("ONWARD_DATABASE", "default"),
        ("ONWARD_REGION", "europe-west1-b"),
    ],
)
def test_a_full_name_where_a_name_belongs_is_refused(name: str, value: str):
    if value == "default":
        assert read(NEEDED | {name: value}, HERE).database == "default"
        return
    with pytest.raises(UserError, match=f"{name} must be"):
        read(NEEDED | {name: value}, HERE)
