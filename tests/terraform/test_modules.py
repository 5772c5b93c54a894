"""Each root and module is formatted, valid at both ends of the provider's range, tested and explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from terraform.applying import CONFIGURATION, EMPTY, LEAST, VERSIONS, Terraform, terraform_of

ROOTS = [".", "bootstrap"]
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
MODULES = sorted(f"modules/{each.name}" for each in (CONFIGURATION / "modules").iterdir())
EVERYTHING = [*ROOTS, *MODULES]


def test_a_missing_terraform_is_a_failure_in_ci_and_told_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="terraform is not on the PATH"):
        terraform_of(VERSIONS[0], CONFIGURATION).__enter__()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="terraform is not on the PATH"):
        terraform_of(VERSIONS[0], CONFIGURATION).__enter__()


def test_everything_is_formatted(terraform: Terraform) -> None:
    terraform("fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("folder", EVERYTHING)
def test_everything_is_valid(terraform: Terraform, folder: str) -> None:
    terraform.init(folder)
    terraform("validate", folder=folder)


@pytest.mark.parametrize("module", ["bootstrap", *MODULES])
def test_a_module_keeps_what_it_promises(terraform: Terraform, module: str) -> None:
    terraform.init(module)
    said = terraform("test", "-no-color", folder=module)
    assert re.search(r"[1-9]\d* passed, 0 failed", said), "a module without tests"


@pytest.mark.parametrize("folder", EVERYTHING)
def test_the_provider_is_from_7_41_to_before_9(folder: str) -> None:
    versions = (CONFIGURATION / folder / "versions.tf").read_text()
    named = re.findall(r'google\s*=\s*\{ source = "hashicorp/google", version = "([^"]+)" \}', versions)
    assert named == ([] if folder == "modules/topology" else [">= 7.41, < 9"])


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_input_and_output_says_what_it_is(folder: str) -> None:
    for file in ("variables.tf", "outputs.tf"):
        text = (CONFIGURATION / folder / file).read_text()
        for kind, name, body in BLOCK.findall(text):
            assert "  description = " in body, f"{folder}: {kind} {name}"


def test_every_module_has_a_page_with_a_table() -> None:
    for module in MODULES:
        page = (CONFIGURATION / module / "README.md").read_text()
        assert page.startswith(f"# {Path(module).name}\n"), module
        assert "\n|---" in page, module


def test_the_page_of_the_root_tells_every_variable() -> None:
    for root in ROOTS:
        page = (CONFIGURATION / "README.md").read_text()
        names = re.findall(
            r'^variable "(\w+)"', (CONFIGURATION / root / "variables.tf").read_text(), re.MULTILINE
        )
        assert [name for name in names if f"`{name}`" not in page] == []


def test_the_least_that_can_be_asked_for_is_applied_and_stays_as_it_is(terraform: Terraform) -> None:
    assert "to add, 0 to change, 0 to destroy" in terraform.plan(LEAST, deployment=EMPTY)


def test_bootstrap_is_applied_and_stays_as_it_is(terraform: Terraform, tmp_path: Path) -> None:
    variables = tmp_path / "bootstrap.tfvars.json"
    variables.write_text('{"project": "acme-data", "region": "europe-west1", "job_projects": ["acme-jobs"]}')
    state = terraform.applied(variables, folder="bootstrap")
    assert state.outputs["code_bucket"] == "acme-data-onward-code"
    assert state.outputs["images"] == "europe-west1-docker.pkg.dev/acme-data/onward"
    assert {each["project"] for each in state.of("google_project_service")} == {"acme-data", "acme-jobs"}


@pytest.mark.parametrize(
    ("keep_state", "said"),
    [
        ("true", {("force_destroy", "false"), ("delete_protection_state", '"DELETE_PROTECTION_ENABLED"')}),
        ("false", {("force_destroy", "true"), ("delete_protection_state", '"DELETE_PROTECTION_DISABLED"')}),
    ],
)
def test_state_is_not_dropped_unless_told(
    terraform: Terraform, keep_state: str, said: set[tuple[str, str]]
) -> None:
    planned = terraform.plan(LEAST, f"-var=keep_state={keep_state}", deployment=EMPTY)
    assert set(re.findall(r"(force_destroy|delete_protection_state) += (\S+)", planned)) == said
