"""`onward validate`, `graph`, `schema` and `version`: no state is needed, and none is made."""

import json
from xml.etree import ElementTree

import onward
import pytest

from e2e.cli_harness import Project


@pytest.fixture(autouse=True)
def _nothing_is_written(project: Project) -> object:
    yield
    assert not project.state.exists()


def test_sound_pipelines_validate(project: Project) -> None:
    done = project.command("validate")
    assert (done.returncode, done.stdout) == (0, "no problems; sound: broken, double, gated, listed\n")
    assert project.json("validate", "workflows/double") == {"pipelines": ["double"], "problems": []}
    assert project.json("validate", "workflows/double/pipeline.yaml")["pipelines"] == ["double"]


def test_all_problems_are_told_at_once_with_file_line_field_and_hint(project: Project) -> None:
    file = project.folder / "workflows" / "double" / "pipeline.yaml"
    file.write_text(file.read_text().replace("[twice]", "[twiec]").replace("type: int", "type: itn"))
    done = project.command("validate")
    assert done.returncode == 2
    assert "workflows/double/pipeline.yaml:7: params.n.type" in done.stdout
    assert "did you mean `twice`?" in done.stdout
    assert "2 problems; sound: broken, gated" in done.stderr
    report = project.json("validate", code=2)
    assert report["pipelines"] == ["broken", "gated", "listed"]
    assert [list(problem) for problem in report["problems"]] == [
        ["file", "line", "field", "message", "hint"]
    ] * 2


def test_a_workflows_definition_is_validated_too(project: Project) -> None:
    folder = project.folder / "workflows" / "double"
    (folder / "pipeline.yaml").write_text("pipeline: double\nsteps:\n  a:\n    workflow: {source: a.yaml}\n")
    (folder / "a.yaml").write_text("main:\n  steps:\n  - s: {call: sys.nothing}\n")
    done = project.command("validate", "workflows/double")
    assert done.returncode == 2
    assert "a.yaml:3" in done.stdout
    assert "sys.nothing" in done.stdout


def test_a_folder_that_is_missing_is_named(project: Project) -> None:
    done = project.command("validate", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere is not there" in done.stderr


def test_a_graph_in_a_format_that_is_not_known_is_refused(project: Project) -> None:
    done = project.command("graph", "double", "-o", "double.png")
    assert done.returncode == 2
    assert ".png is no format of graphs; take .svg, .mmd, .mermaid, .md, .txt" in done.stderr
    assert not (project.folder / "double.png").exists()


def test_a_graph_in_markdown_is_a_diagram_there(project: Project) -> None:
    project.command("graph", "double", "-o", "double.md")
    assert (project.folder / "double.md").read_text().startswith("```mermaid\nflowchart LR\n")


def test_a_folder_without_pipelines_is_a_problem(project: Project) -> None:
    (project.folder / "elsewhere").mkdir()
    done = project.command("validate", "elsewhere")
    assert done.returncode == 2
    assert "elsewhere" in done.stdout


def test_a_graph_is_text_mermaid_or_svg(project: Project) -> None:
    text = project.command("graph", "double").stdout
    assert text.splitlines()[-2:] == ["1 ─ twice  python", "2 ─ tell   python  after twice"]
    assert project.command("graph", "double", "--format", "mermaid").stdout.startswith("flowchart LR\n")
    assert project.command("graph", "double", "-o", "double.svg").stdout == ""
    ElementTree.parse(project.folder / "double.svg")
    done = project.command("graph", "double", "-o", "no/such/folder.svg")
    assert (done.returncode, "can't be written" in done.stderr) == (2, True)


def test_the_schema_is_json_schema(project: Project) -> None:
    schema = json.loads(project.command("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_the_version_is_the_packages(project: Project) -> None:
    for args in (["version"], ["--version"]):
        assert project.command(*args).stdout == f"onward {onward.__version__}\n"


def test_help_names_every_command_and_every_exit_code(project: Project) -> None:
    done = project.command("--help")
    assert done.returncode == 0
    for word in (
        "up",
        "run",
        "publish",
        "runs",
        "show",
        "cancel",
        "retry",
        "logs",
        "validate",
        "graph",
        "demo",
    ):
        assert f"\n  {word} " in done.stdout
    for code in ("  0  ", "  1  ", "  2  ", "  130, 143  "):
        assert code in done.stdout
