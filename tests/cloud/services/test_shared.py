"""What the services share: labels, links, resources, errors, and that nothing is imported early."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.api_core import exceptions
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import Unavailable
from onward.core.pipeline import Dataflow, Dataproc, Python, Step, Workflow
from onward.ports import Busy, Declined
from onward.services import labels, links, resources
from onward.services.clients import Clients
from onward.services.dataproc_jobs import endpoint
from onward.services.grpc_errors import submission


def test_importing_the_services_imports_no_google_module() -> None:
    code = (
        "import pkgutil, sys, onward.services as s\n"
        "[__import__(m.name) for m in pkgutil.walk_packages(s.__path__, 'onward.services.')]\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('google', 'grpc', 'proto')])"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=path, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_a_client_is_built_when_first_used_and_kept() -> None:
    built: list[tuple[type, str]] = []

    def connect(kind: type, endpoint: str) -> object:
        built.append((kind, endpoint))
        return kind()

    clients = Clients(connect)
    assert built == []
    assert clients.get(dict, "a") is clients.get(dict, "a")
    assert clients.get(dict, "b") is not clients.get(list, "b")
    assert built == [(dict, "a"), (dict, "b"), (list, "b")]


def test_without_credentials_a_client_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.cloud.workflows.executions_v1 import ExecutionsClient

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(Unavailable, match="no credentials for Google Cloud"):
        Clients().get(ExecutionsClient)


def test_dataproc_is_called_in_its_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.cloud.dataproc_v1 import JobControllerClient

    key = {"client_id": "a", "client_secret": "b", "refresh_token": "c", "type": "authorized_user"}
    (tmp_path / "key.json").write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    client = Clients().get(JobControllerClient, endpoint("europe-west1"))
    assert client.api_endpoint == "europe-west1-dataproc.googleapis.com:443"


@given(st.text(max_size=200))
def test_any_text_makes_a_label_that_every_service_takes(text: str) -> None:
    assert re.fullmatch("[a-z]([a-z0-9-]{0,61}[a-z0-9])?", labels.value(text))


@pytest.mark.parametrize(
    ("kind", "job", "page"),
    [
        ("dataproc", "projects/p/regions/r/jobs/j", "dataproc/jobs/j?region=r&project=p"),
        ("dataproc", "projects/p/locations/r/batches/b", "dataproc/batches/r/b?project=p"),
        ("cluster", "projects/p/regions/r/clusters/c", "dataproc/clusters/c?region=r&project=p"),
        ("dataflow", "projects/p/locations/r/jobs/2026-1", "dataflow/jobs/r/2026-1?project=p"),
        ("drain", "projects/p/locations/r/jobs/2026-1", "dataflow/jobs/r/2026-1?project=p"),
        (
            "workflow",
            "projects/p/locations/r/workflows/w/executions/e",
            "workflows/workflow/r/w/execution/e?project=p",
        ),
        ("dataflow", "projects/p/locations/r/jobs/a&b?c", "dataflow/jobs/r/a%26b%3Fc?project=p"),
    ],
)
def test_every_job_has_a_page(kind: str, job: str, page: str) -> None:
    assert links.page(kind, job) == f"https://console.cloud.google.com/{page}"


@given(st.text(), st.sampled_from(["dataproc", "cluster", "dataflow", "drain", "workflow", "python"]))
def test_what_is_no_resource_name_has_no_page(job: str, kind: str) -> None:
    assert links.page(kind, job) is None


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("s", Dataflow(main="a.py"), resources={"machine_typ": "x"}), "did you mean `machine_type`?"),
        (
            Step("s", Dataflow(launch={"gcsPath": "x"}), resources={"launcher_machine_type": "x"}),
            "a classic Dataflow template takes no `launcher_machine_type`",
        ),
        (
            Step("s", Dataproc(pyspark="a.py", cluster="etl"), resources={"machine_type": "x"}),
            "a job on a Dataproc cluster takes no `machine_type`",
        ),
        (
            Step("s", Workflow("a.yaml"), resources={"workers": 3}),
            "a Cloud Workflows execution takes no `workers`",
        ),
        (
            Step("s", Dataproc(pyspark="a.py"), resources={"region": "{{ env.region }}"}),
            "`region` can't be a template; write the region itself",
        ),
    ],
)
def test_a_wrong_resource_is_a_problem_that_needs_no_client_to_be_found(step: Step, said: str) -> None:
    (problem,) = resources.problems(step)
    assert said in problem


def test_what_runs_here_and_in_the_cloud_is_no_problem() -> None:
    spark = {"driver_memory": "4g", "spark.sql.shuffle.partitions": 8, "workers": 2, "region": "r"}
    assert resources.problems(Step("s", Dataproc(pyspark="a.py"), resources=spark)) == ()
    assert resources.problems(Step("s", Dataproc(pyspark="a.py", cluster="c"), resources=spark)) == ()
    assert resources.problems(Step("s", Python("a.py", "f"), resources={"anything": 1})) == ()


def test_a_request_that_is_too_large_does_not_wait_for_room() -> None:
    error = exceptions.ResourceExhausted("Received message larger than max (5 vs. 4)")
    assert isinstance(submission("Dataflow", error), Declined)


def test_a_denial_that_speaks_of_a_quota_project_does_not_wait_for_room() -> None:
    error = exceptions.PermissionDenied("Your application needs a quota project, which is not set")
    declined = submission("Dataflow", error)
    assert isinstance(declined, Declined)
    assert declined.error.endswith("grant the service account of the functions what the message names")


@given(st.sampled_from([each for each in vars(exceptions).values() if isinstance(each, type)]), st.text())
def test_every_error_of_a_google_api_is_an_answer_or_unavailable(kind: type, message: str) -> None:
    if not issubclass(kind, exceptions.GoogleAPICallError):
        return
    try:
        answer = submission("Dataproc", kind(message))
    except Unavailable:
        return
    assert isinstance(answer, Declined | Busy)
    assert "\n" not in answer.error
    assert len(answer.error) < 1_200
