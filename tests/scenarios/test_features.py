"""The table of features is true: what it says is what the scenarios prove."""

from __future__ import annotations

import json

from click.testing import CliRunner
from onward.cli.main import cli
from scenarios.harness.features import DATA, FEATURES, HERE, PAGE, data, page, scenarios, table
from scenarios.harness.scenario import Action, Expected, Scenario

FOUND = scenarios()


def test_every_feature_has_a_scenario() -> None:
    proven = {feature for scenario in FOUND.values() for feature in scenario.proves}
    assert FEATURES.keys() - proven == set(), "write a scenario"


def test_every_scenario_proves_a_feature_that_there_is() -> None:
    unknown = {name: set(each.proves) - FEATURES.keys() for name, each in FOUND.items()}
    assert {name: features for name, features in unknown.items() if features or not FOUND[name].proves} == {}


def test_the_table_and_the_command_say_what_the_scenarios_prove() -> None:
    features = table(FOUND)
    assert PAGE.read_text() == page(features), "run `make features`"
    assert DATA.read_text() == data(features), "run `make features`"


def test_the_command_prints_the_table() -> None:
    told = CliRunner().invoke(cli, ["features"])
    assert told.exit_code == 0, told.output
    for feature in table(FOUND):
        (line,) = [line for line in told.output.splitlines() if line.split()[0] == feature.name]
        assert line.endswith(", ".join(proof.scenario for proof in feature.proofs))
    rows = json.loads(CliRunner().invoke(cli, ["features", "--json"]).output)
    assert [row["feature"] for row in rows] == [feature.name for feature in table(FOUND)]


def test_every_word_of_a_scenario_is_in_its_readme() -> None:
    told = (HERE / "README.md").read_text()
    for kind in (Action, Expected, Scenario):
        for name in kind.__struct_encode_fields__:
            assert f"{name}:" in told or f"`{name}`" in told, f"{kind.__name__}: {name}"
