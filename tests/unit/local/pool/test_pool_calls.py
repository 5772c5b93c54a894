"""What a call of a user's function gives."""

from __future__ import annotations

import asyncio
import json

import pytest
from onward.local.pool import Call, Died, Outcome, Raised, Returned
from pool_harness import Files, pooling


def outcome_of(files: Files, target: str, **args: object) -> Outcome:
    async def make() -> Outcome:
        async with pooling() as pooled:
            (outcome,) = await pooled.make(files.call("a", target, **args))
            return outcome

    return asyncio.run(make())


def test_a_call_passes_its_arguments_by_name_and_returns_the_value_as_json(files: Files) -> None:
    files.write("steps.py", "def total(first, second=2): return {'sum': first + second, 'wörd': None}")
    outcome = outcome_of(files, "steps.py:total", first=1)
    assert outcome == Returned("a", '{"sum":3,"wörd":null}'.encode())


def test_an_async_function_is_awaited(files: Files) -> None:
    files.write("steps.py", "import asyncio\nasync def f(): await asyncio.sleep(0); return 1")
    assert outcome_of(files, "steps.py:f") == Returned("a", b"1")


def test_a_file_may_import_its_siblings_at_any_time(files: Files) -> None:
    files.write("helpers.py", "one = 1")
    files.write("late.py", "two = 2")
    files.write("steps.py", "import helpers\ndef f():\n    import late\n    return helpers.one + late.two")
    assert outcome_of(files, "steps.py:f") == Returned("a", b"3")


@pytest.mark.parametrize("name", ["json.py", "queue.py", "worker.py", "my-step.py", "a b\n'\".py"])
def test_a_file_may_have_any_name(files: Files, name: str) -> None:
    files.write(name, "import json\ndef f(): return json.dumps(1)")
    assert outcome_of(files, f"{name}:f") == Returned("a", b'"1"')


def test_files_of_one_name_in_two_folders_never_meet(files: Files, other_files: Files) -> None:
    for each, name in ((files, "one"), (other_files, "other")):
        each.write("helpers.py", f"name = {name!r}")
        each.write("steps.py", "import helpers\ndef f(): return helpers.name")

    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            for turn in range(3):
                outcomes = await pooled.make(
                    files.call(f"{turn}.one", "steps.py:f"), other_files.call(f"{turn}.other", "steps.py:f")
                )
                assert [
                    json.loads(outcome.output) for outcome in outcomes if isinstance(outcome, Returned)
                ] == [
                    "one",
                    "other",
                ]

    asyncio.run(make())


@pytest.mark.parametrize("name", ["steps.py", "json.py"])
def test_a_process_imports_a_file_once(files: Files, name: str) -> None:
    files.write(
        name,
        """
        import pathlib
        with open(pathlib.Path(__file__).with_name("imports"), "a") as imports: imports.write("x")
        def f(): pass
        def g(): pass
        """,
    )

    async def make() -> None:
        async with pooling(max_workers=1) as pooled:
            for turn in range(20):
                await pooled.make(files.call(f"f{turn}", f"{name}:f"), files.call(f"g{turn}", f"{name}:g"))

    asyncio.run(make())
    assert (files.folder / "imports").read_text() == "x"


def test_a_file_that_its_sibling_has_imported_is_the_same_module(files: Files) -> None:
    files.write("steps.py", "seen = []\ndef f(): return seen")
    files.write("main.py", "import steps\ndef f(): steps.seen.append('main')")

    async def make() -> None:
        async with pooling(max_workers=1) as pooled:
            await pooled.make(files.call("a", "main.py:f"))
            assert await pooled.make(files.call("b", "steps.py:f")) == [Returned("b", b'["main"]')]

    asyncio.run(make())


def test_arguments_and_values_may_be_long(files: Files) -> None:
    files.write("steps.py", "def twice(text): return text * 2")
    outcome = outcome_of(files, "steps.py:twice", text="x" * 3_000_000)
    assert outcome == Returned("a", b'"' + b"x" * 6_000_000 + b'"')


def test_arguments_over_64_mib_are_refused(files: Files) -> None:
    files.write("steps.py", "def f(text): return 1")
    outcome = outcome_of(files, "steps.py:f", text="x" * (64 << 20))
    error = "steps.py:f: 67,108,876 bytes of arguments; at most 67,108,864 are taken"
    assert outcome == Raised("a", error)


def test_a_value_over_64_mib_is_refused(files: Files) -> None:
    files.write("steps.py", "def f(): return 'x' * (64 << 20)")
    outcome = outcome_of(files, "steps.py:f")
    error = "steps.py:f returned 67,108,866 bytes of JSON; at most 67,108,864 are taken"
    assert outcome == Raised("a", error)


def test_each_of_many_calls_has_exactly_one_outcome_and_it_is_its_own(files: Files) -> None:
    files.write(
        "steps.py",
        """
        import os
        def f(number, fate):
            if fate == "raise": raise ValueError(number)
            if fate == "die": os._exit(number)
            return number
        """,
    )
    fates = {n: "die" if n % 50 == 7 else "raise" if n % 3 == 0 else "return" for n in range(200)}
    expected = {
        "die": lambda n: Died(str(n), f"exited with code {n}"),
        "raise": lambda n: Raised(str(n), f"ValueError: {n}"),
        "return": lambda n: Returned(str(n), str(n).encode()),
    }

    async def make() -> None:
        async with pooling(workers=2) as pooled:
            calls = [files.call(str(n), "steps.py:f", number=n, fate=fate) for n, fate in fates.items()]
            assert await pooled.make(*calls) == [expected[fate](n) for n, fate in fates.items()]
            assert len(pooled.told) == len(calls)

    asyncio.run(make())


def test_outcomes_that_arrive_together_are_told_together(files: Files) -> None:
    files.write("steps.py", "def f(pipe=None):\n    if pipe: open(pipe, 'w').write('x')")
    ended = files.pipe("ended")

    async def make() -> None:
        async with pooling() as pooled:
            await pooled.make(files.call("first", "steps.py:f"))
            calls = [files.call(str(n), "steps.py:f") for n in range(20)]
            pooled.pool.call([*calls, files.call("last", "steps.py:f", pipe=ended.path)])
            ended.read_here()  # the loop stands still until the last call is reached
            await pooled.outcomes(*map(str, range(20)), "last")
            assert len(pooled.batches[1]) >= len(calls)

    asyncio.run(make())


def test_a_call_whose_id_is_under_way_is_left_out(files: Files) -> None:
    files.write("steps.py", "def f(): return 1")

    async def make() -> None:
        async with pooling() as pooled:
            call = files.call("a", "steps.py:f")
            pooled.pool.call([call, call])
            pooled.pool.call([call])
            pooled.pool.call([files.call("b", "steps.py:f")])
            await pooled.outcomes("a", "b")
            assert sorted(outcome.id for outcome in pooled.told) == ["a", "b"]

    asyncio.run(make())


def test_a_lost_call_can_be_made_again_under_its_id(files: Files) -> None:
    files.write(
        "steps.py",
        """
        import os, pathlib
        def f():
            mark = pathlib.Path(__file__).with_name("mark")
            if not mark.exists(): mark.touch(); os._exit(1)
        """,
    )

    async def make() -> None:
        async with pooling() as pooled:
            call = files.call("a", "steps.py:f")
            assert await pooled.make(call) == [Died("a", "exited with code 1")]
            pooled.batches.clear()
            assert await pooled.make(call) == [Returned("a", b"null")]

    asyncio.run(make())


def test_a_folder_that_does_not_exist_is_named(files: Files) -> None:
    async def make() -> None:
        async with pooling() as pooled:
            (outcome,) = await pooled.make(Call("a", "/no/such", "steps.py:f", b"{}", str(files.log_of("a"))))
            assert outcome == Raised("a", "there is no file 'steps.py' in the pipeline's folder /no/such")

    asyncio.run(make())
