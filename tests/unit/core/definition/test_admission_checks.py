"""What is refused of who may go on: pools that are not there, sizes that mean nothing, conflicts without a limit."""

# ruff: noqa: E501 - a message is easier to read in one piece
# fmt: off

from pathlib import Path

import pytest
from onward import catalog
from onward.core.definition.loader import load_pools
from unit.core.definition.loading import SOUND, problems, read

NUMBER = "must be a whole number from"
POOL = "must be a pool's name, or a size from 1 to 1,000"
NO_CONFLICT = "there is no conflict without a limit; add `max_active_runs: 1`"


def with_line(line: str) -> str:
    return SOUND.replace("params:\n", f"{line}\nparams:\n", 1)


def in_step(line: str) -> str:
    return SOUND.replace("    timeout: 1h30m\n", f"    timeout: 1h30m\n    {line}\n", 1)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("max_active_runs: 0", f"6: max_active_runs: {NUMBER} 1 to 1,000, not the number 0"),
        ("max_active_runs: 1001", f"6: max_active_runs: {NUMBER} 1 to 1,000, not the number 1001"),
        ("max_active_runs: true", f"6: max_active_runs: {NUMBER} 1 to 1,000, not true"),
        ("max_active_run: 3", "6: unknown key `max_active_run`; did you mean `max_active_runs`?"),
        ("max_runs_per_hour: 0", f"6: max_runs_per_hour: {NUMBER} 1 to 100,000, not the number 0"),
        ("max_runs_per_hour: 100001", f"6: max_runs_per_hour: {NUMBER} 1 to 100,000, not the number 100001"),
        ("priority: 101", f"6: priority: {NUMBER} -100 to 100, not the number 101"),
        ("priority: 1.5", f"6: priority: {NUMBER} -100 to 100, not the number 1.5"),
        ("on_conflict: skip", f"6: on_conflict: {NO_CONFLICT}"),
        ("on_conflict: cancel_running", f"6: on_conflict: {NO_CONFLICT}"),
        ("max_active_runs: 1\non_conflict: stop", "7: on_conflict: must be one of queue, skip, cancel_running, not `stop`"),
    ],
)
def test_a_limit_of_a_pipeline_that_means_nothing_says_how_to_mend_it(line: str, problem: str) -> None:
    assert problems(with_line(line)) == [problem]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("pool: 0", f"16: steps.clean.pool: {POOL}, not the number 0"),
        ("pool: 1001", f"16: steps.clean.pool: {POOL}, not the number 1001"),
        ("pool: true", f"16: steps.clean.pool: {POOL}, not true"),
        ("pool: [warehouse]", f"16: steps.clean.pool: {POOL}, not a list"),
        ("pool: Big Pool", f"16: steps.clean.pool: {POOL}, not `Big Pool`"),
        ("pool: ~step", f"16: steps.clean.pool: {POOL}, not `~step`"),
        ("pool_size: 3", "16: steps.clean: unknown key `pool_size`; did you mean `pool`?"),
        ("priority: -101", f"16: steps.clean.priority: {NUMBER} -100 to 100, not the number -101"),
    ],
)
def test_a_pool_that_no_step_could_have_says_how_to_mend_it(line: str, problem: str) -> None:
    assert problems(in_step(line)) == [problem]


@pytest.mark.parametrize("pool", ["warehouse", "3"])
def test_a_sub_run_takes_no_slot_that_its_own_steps_would_wait_for(pool: str) -> None:
    text = SOUND.replace("  tell:\n", f"  sub:\n    pipeline: other\n    pool: {pool}\n  tell:\n", 1)
    assert problems(text) == [
        "25: steps.sub.pool: a sub-run takes no slot: its own steps do; remove it, or set `max_active_runs` there"
    ]


def test_limits_that_mean_something_are_taken_as_they_are() -> None:
    text = in_step("pool: 3\n    priority: -100").replace(
        "params:\n", "max_active_runs: 1000\non_conflict: skip\nmax_runs_per_hour: 100000\npriority: 100\nparams:\n", 1
    )
    pipeline = read(text)
    assert (pipeline.max_active_runs, pipeline.on_conflict) == (1000, "skip")
    assert (pipeline.max_runs_per_hour, pipeline.priority) == (100_000, 100)
    assert (pipeline.steps[0].pool_size, pipeline.steps[0].priority) == (3, -100)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("warehouse: 0", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not the number 0"),
        ("warehouse: 1001", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not the number 1001"),
        ("warehouse: 1.5", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not the number 1.5"),
        ("warehouse: true", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not true"),
        ("warehouse: lots", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not `lots`"),
        ("warehouse: {size: 3}", f"pools.yaml:1: warehouse: {NUMBER} 1 to 1,000, not a mapping"),
        ("warehouse:", "pools.yaml:1: warehouse: is empty; give it a value or remove the key"),
        ("Ware House: 3", "pools.yaml:1: Ware House: `Ware House` is not a name; a letter, then up to 62 of a-z, 0-9, `-` and `_`"),
        ("~step: 3", "pools.yaml:1: ~step: `~step` is not a name; a letter, then up to 62 of a-z, 0-9, `-` and `_`"),
        ("- warehouse", "pools.yaml:1: must be a mapping from names to sizes"),
        ("warehouse: [", "pools.yaml:1: not YAML: did not find expected node content"),
    ],
)
def test_a_size_that_a_pool_can_not_have_is_left_out_and_said(text: str, problem: str) -> None:
    sizes, said = load_pools(text, "pools.yaml")
    assert (sizes, [str(each) for each in said]) == ({}, [problem])


def test_the_sound_pools_of_a_broken_file_count() -> None:
    sizes, said = load_pools("# sizes\nsmall: 1\nbig: 1001\nsmall: 2\nlarge: 1000\n", "pools.yaml")
    assert sizes == {"small": 1, "large": 1000}
    assert sorted(each.line for each in said) == [3, 4]


def test_a_file_of_pools_may_hold_nothing_but_comments() -> None:
    assert load_pools("# warehouse: 3\n\n", "pools.yaml") == ({}, ())


def of_pool(pool: str) -> str:
    return f"pipeline: p\nsteps:\n  a: {{python: {{call: 'job.py:run'}}, pool: {pool}}}\n"


def folder(where: Path, text: str, pools: str | None) -> list[str]:
    """What is said of a folder with this pipeline, which counts only if nothing is."""
    (where / "p").mkdir()
    (where / "p" / "pipeline.yaml").write_text(text)
    (where / "p" / "job.py").write_text("def run(): pass\n")
    if pools is not None:
        (where / "pools.yaml").write_text(pools)
    found = catalog.read(where, strict=True)
    assert list(found.pipelines) == ([] if found.problems else ["p"])
    return [str(each).removeprefix(f"{where}/") for each in found.problems]


@pytest.mark.parametrize(
    ("pools", "hint"),
    [
        ("warehouse: 3", "did you mean `warehouse`?"),
        ("sftp: 3\nloads: 2", "there are `loads` and `sftp`"),
        (None, "add `warehous: 3` to pools.yaml"),
    ],
)
def test_a_pool_that_is_not_there_is_said_with_those_that_are(tmp_path: Path, pools: str | None, hint: str) -> None:
    assert folder(tmp_path, of_pool("warehous"), pools) == [
        f"p/pipeline.yaml:3: steps.a.pool: there is no pool `warehous`; {hint}"
    ]


@pytest.mark.parametrize(("pool", "pools"), [("warehouse", "warehouse: 3"), ("3", None)])
def test_a_pool_that_is_there_and_one_of_the_step_s_own_are_fine(tmp_path: Path, pool: str, pools: str | None) -> None:
    assert folder(tmp_path, of_pool(pool), pools) == []


def test_a_handler_s_pool_has_to_be_there_too(tmp_path: Path) -> None:
    text = "pipeline: p\nsteps:\n  a: {python: {call: 'job.py:run'}}\non_failure: {python: {call: 'job.py:run'}, pool: alarms}\n"
    assert folder(tmp_path, text, None) == [
        "p/pipeline.yaml:4: on_failure.pool: there is no pool `alarms`; add `alarms: 3` to pools.yaml"
    ]
