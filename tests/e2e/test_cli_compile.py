"""`onward compile`: what a deployment is made of, under the names by which it will be looked up."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from onward import catalog
from onward.core.pipeline import Dataflow, Dataproc, Workflow
from onward.core.plan import Plan
from onward.deployed import Deployed

from e2e.cli_harness import Project

PIPELINE = """
pipeline: sales
trigger:
  object: {bucket: "{{ env.landing }}", match: "{day}/*.csv"}
params: {day: string}
steps:
  clean:
    dataflow: {main: beam/clean.py}
    resources: {region: europe-west4, project: my-jobs, service_account: "{{ env.worker }}"}
  totals: {dataproc: {pyspark: totals.py, cluster: etl}, resources: {region: europe-west1}}
  query: {dataproc: {spark_sql: query.sql}, resources: {service_account: spark@example.com}}
  publish: {workflow: {source: publish.yaml}}
  again: {workflow: {source: publish.yaml}}
clusters:
  etl: {cluster: {config: {gceClusterConfig: {serviceAccount: nodes@example.com}}}}
"""
DEFINITION = "main:\n  steps:\n  - give: {return: 1}\n"


@pytest.fixture
def sales(project: Project) -> Path:
    """The only pipeline; its folder."""
    workflows = project.folder / "workflows"
    shutil.rmtree(workflows)
    folder = workflows / "sales"
    (folder / "beam").mkdir(parents=True)
    (folder / "sample").mkdir()
    (workflows / "env.yaml").write_text("landing: here  # on a laptop\nworker: beam@example.com\n")
    files = {
        "pipeline.yaml": PIPELINE,
        "publish.yaml": DEFINITION,
        "requirements.txt": "",
        "sample/x.csv": "x",
    }
    files |= {
        "beam/clean.py": "#",
        "totals.py": "#",
        "shapes.py": "#!",
        "query.sql": "select 1",
        ".hidden": "x",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def compiled(project: Project, *options: str) -> Any:
    done = project.command("compile", "-o", "build", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((project.folder / "build" / "deployment.json").read_text())


def tree(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def put_earlier(project: Project) -> None:
    """The last compile becomes an earlier deployment, as the code bucket keeps it."""
    build, earlier = project.folder / "build", project.folder / "earlier"
    shutil.copytree(build / "definitions", earlier / "definitions", dirs_exist_ok=True)
    (earlier / "deployments").mkdir(exist_ok=True)
    number = len(list((earlier / "deployments").iterdir()))
    shutil.copy(build / "deployment.json", earlier / "deployments" / f"{number}.json")


class OnePlan:
    """See `plans.Plans`: every run follows the same."""

    plan: Plan

    def of_run(self, run: str) -> Plan:
        assert run
        return self.plan

    def add(self, plan: Plan) -> None:
        self.plan = plan


@pytest.mark.usefixtures("sales")
def test_what_a_job_needs_has_the_name_by_which_the_functions_look_it_up(project: Project) -> None:
    made = compiled(project)
    build = project.folder / "build"
    plans: Any = OnePlan()
    deployed = Deployed(build / "workflows", "code", lambda: plans)
    plan = deployed.plan("sales")
    assert plan.name == made["pipelines"]["sales"]["plan"]
    assert (build / "plans" / f"{plan.name}.json").read_bytes() == plan.encode()
    found: dict[str, set[str]] = {"files": set(), "templates": set(), "definitions": set()}
    for step in plan.pipeline.steps:
        match step.does:
            case Dataproc() as does:
                name = does.pyspark or does.spark_sql or ""
                uris = [deployed.file("r", name), *(deployed.modules("r", name) if does.pyspark else [])]
                found["files"].update(uri.removeprefix("gs://code/") for uri in uris)
            case Dataflow() as does:
                found["templates"].add(deployed.template("r", does.main or "").removeprefix("gs://code/"))
            case Workflow() as does:
                found["definitions"].add(deployed.definition("r", does.source))
    assert {kind: set(made[kind]) for kind in found} == found


@pytest.mark.usefixtures("sales")
def test_a_deployment_beside_another_has_definitions_of_its_own(project: Project) -> None:
    made = compiled(project)
    plans: Any = OnePlan()
    deployed = Deployed(project.folder / "build" / "workflows", "code", lambda: plans, "test")
    steps = deployed.plan("sales").pipeline.steps
    sources = [step.does.source for step in steps if isinstance(step.does, Workflow)]
    assert {deployed.definition("r", source) for source in sources} == {
        id_.replace("onward-", "test-", 1) for id_ in made["definitions"]
    }


def test_sources_are_where_the_manifest_says(project: Project, sales: Path) -> None:
    made = compiled(project)
    build = project.folder / "build"
    for name, source in made["files"].items():
        assert (build / name).read_text() == (sales.parent / source).read_text()
    assert [(build / source).read_text() for source in made["definitions"].values()] == [DEFINITION]
    assert list(made["templates"].values()) == [
        {
            "main": "sales/beam/clean.py",
            "requirements": "sales/requirements.txt",
            "setup": None,
            "image": None,
        }
    ]


@pytest.mark.usefixtures("sales")
def test_terraform_is_told_what_to_watch_and_what_jobs_must_be_allowed(project: Project) -> None:
    made = compiled(project)
    assert (made["version"], made["buckets"], made["topics"], made["schedules"]) == (1, ["here"], [], [])
    assert made["pipelines"]["sales"] | {"plan": ""} == {
        "plan": "",
        "projects": ["my-jobs"],
        "regions": ["europe-west1", "europe-west4"],
        "service_accounts": ["beam@example.com", "nodes@example.com", "spark@example.com"],
        "clusters": ["etl"],
    }


@pytest.mark.usefixtures("sales")
def test_terraform_is_told_of_the_topics_and_schedules_of_pipelines(project: Project) -> None:
    trigger = """
      message: [orders, projects/shop/topics/returns]
      schedule: ["0 6  * * MON-fri", {cron: "0 6 * * mon-fri", time_zone: Europe/Stockholm}]
      absent_by: {at: "07:30", bucket: here, match: "{date}.csv"}"""
    steps = 'steps: {only: {python: {call: "a.py:f"}}}'
    folder = project.folder / "workflows" / "timed"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(
        f"pipeline: timed\ntrigger:{trigger}\nparams: {{date: {{type: date, required: false}}}}\n{steps}\n"
    )
    (folder / "a.py").write_text("def f(): pass\n")
    made = compiled(project)
    assert made["topics"] == ["orders", "projects/shop/topics/returns"]
    assert [{**each, "name": each["name"].rpartition("-")[0]} for each in made["schedules"]] == [
        {"name": "timed", "cron": cron, "time_zone": zone, "pipeline": "timed"}
        for cron, zone in (
            ("0 6 * * MON-fri", "UTC"),
            ("0 6 * * mon-fri", "Europe/Stockholm"),
            ("30 7 * * *", "UTC"),
        )
    ]
    assert len({each["name"] for each in made["schedules"]}) == 3


@pytest.mark.usefixtures("sales")
def test_the_same_input_gives_the_same_bytes_and_nothing_stays_of_what_was_before(project: Project) -> None:
    compiled(project)
    first = tree(project.folder / "build")
    (project.folder / "build" / "plans" / "old.json").write_text("{}")
    (project.folder / "build" / "functions.zip").write_text("kept")
    compiled(project)
    assert tree(project.folder / "build") == first | {"functions.zip": b"kept"}


def test_only_what_belongs_to_a_pipeline_is_deployed(project: Project, sales: Path) -> None:
    (sales.parent / "notes").mkdir()
    (sales.parent / "notes" / "ideas.md").write_text("x")
    (sales / "__pycache__").mkdir()
    (sales / "__pycache__" / "totals.pyc").write_text("x")
    compiled(project)
    assert list(tree(project.folder / "build" / "workflows")) == ["env.yaml"] + [
        f"sales/{name}" for name in sorted(catalog.read(sales.parent).pipelines["sales"].files)
    ]


@pytest.mark.usefixtures("sales")
def test_the_values_of_env_are_those_of_the_file_that_is_named(project: Project) -> None:
    (project.folder / "prod.json").write_text('{"landing": "there", "worker": "w@example.com"}')
    made = compiled(project, "--env", "prod.json")
    assert (made["buckets"], made["env"]["landing"]) == (["there"], "there")
    assert catalog.read(project.folder / "build" / "workflows").env == made["env"]


def test_definitions_of_earlier_deployments_stay_and_are_told_apart(project: Project, sales: Path) -> None:
    (first,) = compiled(project)["definitions"]
    put_earlier(project)
    (sales / "publish.yaml").write_text(DEFINITION.replace("1", "2"))
    second = compiled(project, "--earlier", "earlier")
    assert len(second["definitions"]) == 2
    assert second["kept"] == [first]
    assert (project.folder / "build" / second["definitions"][first]).read_text() == DEFINITION


def test_a_definition_does_not_stay_for_having_stayed_before(project: Project, sales: Path) -> None:
    (first,) = compiled(project)["definitions"]
    put_earlier(project)
    (sales / "publish.yaml").write_text(DEFINITION.replace("1", "2"))
    compiled(project, "--earlier", "earlier")
    put_earlier(project)
    (project.folder / "earlier" / "deployments" / "0.json").unlink()  # no longer one of the last
    (sales / "publish.yaml").write_text(DEFINITION.replace("1", "3"))
    assert first not in compiled(project, "--earlier", "earlier")["definitions"]


@pytest.mark.usefixtures("sales")
def test_an_earlier_deployment_that_is_not_whole_is_refused(project: Project) -> None:
    compiled(project)
    put_earlier(project)
    (source,) = (project.folder / "earlier" / "definitions").iterdir()
    source.write_text("main: {}")
    done = project.command("compile", "-o", "build", "--earlier", "earlier")
    assert done.returncode == 2
    assert f"{source.name} is missing or was changed; earlier/deployments/0.json names it" in done.stderr
    (project.folder / "earlier" / "deployments" / "0.json").write_text("[]")
    done = project.command("compile", "-o", "build", "--earlier", "earlier")
    assert done.returncode == 2
    assert "earlier/deployments/0.json is no deployment.json" in done.stderr


def test_problems_are_printed_as_validate_does_and_nothing_is_written(project: Project, sales: Path) -> None:
    file = sales / "pipeline.yaml"
    file.write_text(PIPELINE.replace("publish.yaml}}", "publsh.yaml}}"))
    done, told = project.command("compile", "-o", "build"), project.command("validate")
    assert (done.returncode, told.returncode) == (2, 2)
    assert (done.stdout, done.stderr) == (told.stdout, told.stderr)
    assert "did you mean `publish.yaml`?" in done.stdout
    assert not (project.folder / "build").exists()


def test_what_does_not_compile_leaves_nothing_of_before_that_could_be_deployed(
    project: Project, sales: Path
) -> None:
    build = project.folder / "build"
    compiled(project)
    (build / "functions.zip").touch()
    sound = (sales / "pipeline.yaml").read_text()
    (sales / "pipeline.yaml").write_text(f"{sound}nonsense: 1\n")
    assert project.command("compile", "-o", "build").returncode == 2
    assert [path.name for path in build.iterdir()] == ["functions.zip"]
    (sales / "pipeline.yaml").write_text(sound)
    compiled(project)


def test_a_job_that_would_be_refused_for_its_resources_is_refused_now(project: Project, sales: Path) -> None:
    file = sales / "pipeline.yaml"
    file.write_text(PIPELINE.replace("{region: europe-west1}", "{regoin: europe-west1}"))
    done = project.command("compile", "-o", "build")
    assert done.returncode == 2
    assert "workflows/sales/pipeline.yaml:10: steps.totals" in done.stdout
    assert "did you mean `region`?" in done.stdout


def test_an_account_that_nobody_can_grant_before_is_refused(project: Project, sales: Path) -> None:
    file = sales / "pipeline.yaml"
    file.write_text(PIPELINE.replace("spark@example.com", '"{{ day }}@example.com"'))
    done = project.command("compile", "-o", "build")
    assert done.returncode == 2
    assert "pipeline.yaml:11: steps.query.resources.service_account: `{{ day }}@example.com`" in done.stdout


def test_a_python_file_that_would_break_the_functions_build_is_refused(project: Project, sales: Path) -> None:
    (sales / "totals.py").write_text("x = 1\nprint 'totals'\n")
    (sales / "beam" / "clean.py").write_bytes(b"x\0")
    done = project.command("compile", "-o", "build")
    assert done.returncode == 2
    assert "workflows/sales/totals.py:2: not Python: Missing parentheses" in done.stdout
    assert "workflows/sales/beam/clean.py:1: not Python: source code" in done.stdout


@pytest.mark.usefixtures("sales")
@pytest.mark.parametrize("output", [".", "workflows", "workflows/sales"])
def test_a_folder_that_no_compile_has_made_is_not_emptied(project: Project, output: str) -> None:
    before = tree(project.folder / "workflows")
    done = project.command("compile", "-o", output)
    assert done.returncode == 2
    assert "take another folder" in done.stderr
    assert tree(project.folder / "workflows") == before


@pytest.mark.usefixtures("sales")
def test_what_is_not_there_is_named(project: Project) -> None:
    for arguments, told in [
        (["nowhere"], "nowhere is not the folder of all pipelines"),
        (["workflows/sales"], "what is not compiled is not deployed"),
        (["--env", "prod.yaml"], "prod.yaml is not there"),
    ]:
        done = project.command("compile", "-o", "build", *arguments)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert not (project.folder / "build").exists()


def test_the_name_of_a_definition_is_that_of_its_content(project: Project, sales: Path) -> None:
    digest = hashlib.sha256((sales / "publish.yaml").read_bytes()).hexdigest()
    assert list(compiled(project)["definitions"]) == [f"onward-{digest[:32]}"]
