"""What `onward validate` finds of that which a service would refuse."""

from __future__ import annotations

import subprocess
import sys

import pytest
from onward.core.pipeline import Cluster, Dataflow, Dataproc, Pipeline, Python, Step, StepKind, Workflow
from onward.services.rehearsal import findings

SOUND: list[StepKind] = [
    Dataproc(pyspark="a.py", cluster="etl", args=("{{ day }}",)),
    Dataproc(job={"hiveJob": {"queryList": {"queries": ["SELECT '{{ day }}'"]}}}, cluster="etl"),
    Dataproc(job={"sparkJob": {"mainClass": "a.B"}, "labels": {"a": "{{ day }}"}}, cluster="etl"),
    Dataproc(batch={"sparkRBatch": {"mainRFileUri": "{{ uri }}"}, "runtimeConfig": "{{ config }}"}),
    Dataproc(batch={"sparkBatch": {"args": ["{{ a }}"]}, "environmentConfig": {}}),
    Dataproc(template={"jobs": [{"stepId": "a", "pigJob": {"continueOnFailure": "{{ on }}"}}]}),
    Dataproc(template={"jobs": ["{{ job }}"], "dagTimeout": "{{ limit }}"}),
    Dataflow(main="a.py", args={"day": "{{ day }}", "n": 3}),
    Dataflow(launch={"containerSpecGcsPath": "{{ spec }}", "environment": {"maxWorkers": "{{ n }}"}}),
    Dataflow(launch={"gcsPath": "gs://a/b", "launchParameters": {"environment": {"numWorkers": 3}}}),
    Workflow("a.yaml"),
    Python("a.py", "f"),
]


def said(*steps: Step, clusters: tuple[Cluster, ...] = ()) -> list[str]:
    return [
        f"{'.'.join(map(str, f.at))}: {f.message}" for f in findings(Pipeline("p", steps, clusters=clusters))
    ]


@pytest.mark.parametrize("does", SOUND, ids=str)
def test_a_sound_step_has_no_problem_whatever_its_templates_will_say(does: StepKind) -> None:
    assert said(Step("s", does)) == []


@pytest.mark.parametrize(
    ("does", "resources", "finding"),
    [
        (
            Dataproc(job={"sparkjob": {}}, cluster="c"),
            {},
            "steps.s.dataproc: `job` is no google.cloud.dataproc",
        ),
        (Dataproc(job={"sparkJob": {"args": 3}}, cluster="c"), {}, "steps.s.dataproc: `job` is no google"),
        (Dataproc(job={"pigJob": {}}), {}, "steps.s.dataproc: `job`: on which cluster?"),
        (Dataproc(job={"reference": {}, "pigJob": {}}, cluster="c"), {}, "remove `reference`"),
        (Dataproc(batch={"sparkBatch": {"arg": ["{{ a }}"]}}), {}, "steps.s.dataproc: `batch` is no google"),
        (Dataproc(template={"job": []}), {}, "steps.s.dataproc: `template` is no google.cloud.dataproc"),
        (Dataproc(template={"jobs": [{"stepid": "{{ a }}"}]}), {}, "`template` is no google.cloud.dataproc"),
        (
            Dataproc(pyspark="a.py"),
            {"ttl": "1h"},
            "steps.s.dataproc: `resources` is no google.cloud.dataproc",
        ),
        (Dataproc(pyspark="a.py"), {"machine_type": "x"}, "steps.s: `resources`: a Dataproc batch takes no"),
        (Dataflow(launch={"parameters": {}}), {}, "steps.s.dataflow: `launch`: which template?"),
        (
            Dataflow(launch={"gcsPath": "x", "location": "y"}),
            {},
            "steps.s.dataflow: `launch`: remove `location`",
        ),
        (Dataflow(main="a.py", args={"a": [1]}), {}, "steps.s.dataflow: `args`: a template takes no list"),
        (
            Dataflow(main="a.py"),
            {"max_workers": "many"},
            "steps.s.dataflow: `resources` is no google.dataflow",
        ),
    ],
)
def test_what_a_service_would_refuse_is_found_before_anything_runs(
    does: StepKind, resources: dict[str, object], finding: str
) -> None:
    (found,) = said(Step("s", does, resources=resources))
    assert finding in found


def test_a_resource_that_is_a_template_is_not_judged() -> None:
    step = Step("s", Dataflow(main="a.py"), resources={"max_workers": "{{ env.most }}", "workers": 2})
    assert said(step) == []


def test_a_clusters_body_is_checked_where_it_stands() -> None:
    step = Step("s", Dataproc(pyspark="a.py", cluster="etl"))
    good = Cluster("etl", cluster={"config": {"masterConfig": {"numInstances": "{{ env.masters }}"}}})
    assert said(step, clusters=(good, Cluster("plain"))) == []
    (found,) = said(step, clusters=(Cluster("etl", cluster={"config": {"workers": 3}}),))
    assert found.startswith("clusters.etl: `cluster` is no google.cloud.dataproc.v1.Cluster")


def test_every_problem_is_told_at_once() -> None:
    wrong = Dataproc(job={"x": 1}, cluster="c")
    assert len(said(Step("a", wrong), Step("b", wrong), clusters=(Cluster("c", cluster={"x": 1}),))) == 3


def test_what_the_services_know_no_better_costs_no_client() -> None:
    code = (
        "import sys\n"
        "from onward.core.pipeline import *\n"
        "from onward.services.rehearsal import findings\n"
        "steps = (Step('a', Dataproc(pyspark='a.py')), Step('b', Dataflow(main='a.py')))\n"
        "assert list(findings(Pipeline('p', steps, clusters=(Cluster('etl'),)))) == []\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('google', 'grpc', 'proto')])"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=path, capture_output=True, check=True)
    assert done.stdout == b"[]\n"
