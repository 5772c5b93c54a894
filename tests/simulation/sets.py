"""Stories of sets: arrivals that are doubled, late and shuffled, in processes that crash at any call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from onward.core import manifests
from onward.core.events import Event, RunEnded
from onward.core.facts import Tick
from onward.core.matching import ObjectArrival
from onward.core.pipeline import (
    DAY,
    HOUR,
    MINUTE,
    AbsentTrigger,
    BatchTrigger,
    ObjectsTrigger,
    Param,
    Part,
    Pipeline,
    PipelineTrigger,
    Python,
    Step,
)
from onward.core.plan import Plan, compile_plan
from onward.core.schedules import name
from onward.core.starting import Fact, Refused, starts
from onward.core.state import Run
from onward.ports import Listed

from simulation.cloud import Cloud
from simulation.invariants import Violation
from simulation.laptop import Laptop
from simulation.story import keep
from simulation.world import START, World

KEYS = ("2026-01-01", "2026-01-02")
STEPS = (Step("a", Python("steps.py", "a")),)
PARTS = (Part("orders", "orders/{day}.csv"), Part("rates", "rates/{day}.csv"))
MANY = (*PARTS, Part("extra", "extra/{day}/*.csv"))
DAYS = (Param("day", "string"),)
WINDOW = 10 * MINUTE


def batch(count: int = 3) -> BatchTrigger:
    return BatchTrigger("landing", ("in/*.csv",), count, WINDOW)


def parts(**fields: object) -> ObjectsTrigger:
    return ObjectsTrigger("landing", MANY if fields else PARTS, ("day",), **fields)  # type: ignore[arg-type]


TRIGGERS = {
    "batch": batch(),
    "batch of 40": batch(40),
    "parts": parts(),
    "parts, once": ObjectsTrigger("landing", PARTS, ("day",), on_rewrite="ignore"),
    "count": parts(count=5),
    "quiet": parts(quiet=WINDOW),
    "marker": parts(marker="done/{day}"),
    "manifest": parts(manifest="lists/{day}.txt"),
    "fan": PipelineTrigger(("orders", "rates"), join=("day",)),
    "absent": AbsentTrigger("06:00", bucket="landing", match=("in/{date}.csv",), on_absent="late"),
}


class Deployed:
    """The pipeline, and the one that runs for what is absent."""

    def __init__(self, trigger: object) -> None:
        params = () if isinstance(trigger, BatchTrigger | AbsentTrigger) else DAYS
        pipelines = (
            Pipeline("p", STEPS, triggers=(trigger,), params=params),  # type: ignore[arg-type]
            Pipeline("late", STEPS, params=(Param("date", "string"),)),
        )
        self.pipelines: Mapping[str, Pipeline] = {each.name: each for each in pipelines}
        self.plans = {each.name: compile_plan(each) for each in pipelines}

    def plan(self, name: str) -> Plan:
        return self.plans[name]


class Told:
    """A story: what was put into the bucket, and what came of it."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.kind = kind
        self.trigger = TRIGGERS[kind]
        self.deployed = Deployed(self.trigger)
        self.arrived: list[ObjectArrival] = []
        keep(world, *self.deployed.plans.values())

    def put(self, object_name: str, generation: int = 1, delay: int = 0, times: int = 1) -> None:
        """An object that is there from `delay` on, and is told of so many times."""
        arrival = ObjectArrival("landing", object_name, str(generation), 10)
        self.arrived.append(arrival)
        uri = f"gs://landing/{object_name}"
        there = [each for each in self.world.bucket if each.uri != uri]
        self.world.bucket = sorted([*there, Listed(uri, str(generation), 10)])
        for _ in range(times):
            self.hear(arrival, delay)

    def hear(self, fact: Fact, delay: int = 0) -> None:
        for event in self.events(fact):
            self.world.send(event, delay)

    def events(self, fact: Fact) -> list[Event]:
        return [each for each in starts(fact, self.deployed) if not isinstance(each, Refused)]

    def tick(self, delay: int, times: int = 1) -> None:
        for _ in range(times):
            self.hear(Tick("p", name(self.deployed.pipelines["p"], 0), START), delay)

    # What came of it ----------------------------------------------------

    def runs(self, pipeline: str = "p") -> list[Run]:
        """In the order in which their rounds were closed."""
        found = [run for _, run in self.world.store.runs(limit=1_000) if run.pipeline == pipeline]
        return sorted(found, key=lambda run: (str(run.params), run.trigger["round"]))

    def consumed(self, run: Run) -> list[str]:
        """Names and generations of what a run is for."""
        manifest = manifests.decode(self.world.objects[run.trigger["manifest"]])
        if manifests.summary(manifest)["uris"] != run.trigger["uris"]:
            raise Violation(f"the run's facts are not its manifest's: {run.trigger}")
        return [f"{each['name']}#{each['generation']}" for each in manifest.objects]

    def _earliest(self, run: Run) -> int:
        """When the first member of a run was heard of."""
        take = manifests.decode(self.world.objects[run.trigger["manifest"]]).take
        members = self.world.store.members(run.trigger["set"], "any", 1_000)
        return min(member.at for name, member in members if name in take)

    def check(self) -> None:
        """Every set has its runs, and no other."""
        runs = self.runs()
        held = [] if self.kind == "fan" else [self.consumed(run) for run in runs]
        match self.trigger:
            case BatchTrigger(count=count):
                self._each_once(held)
                if any(len(names) > count for names in held):
                    raise Violation(f"a batch holds more than {count}: {held}")
                for run, names in zip(runs, held, strict=True):
                    if len(names) < count and run.started < self._earliest(run) + WINDOW:
                        raise Violation(f"a batch of {len(names)} was closed before its window: {run}")
            case PipelineTrigger():
                found = [sorted(run.trigger["parts"].values()) for run in runs]
                if found != [[f"orders-{key}", f"rates-{key}"] for key in KEYS]:
                    raise Violation(f"the runs that ended together started {found}")
            case AbsentTrigger():
                came = bool(self.arrived)
                late = self.runs("late")
                if len(late) != (not came):
                    raise Violation(f"{len(late)} runs tell that something is absent; came: {came}")
            case _:
                for key in KEYS:
                    self._complete(key, [run for run in runs if run.params["day"] == key])
        if any(not run.state.ended for run in runs):
            raise Violation("a run never ended")

    def _each_once(self, held: Sequence[Sequence[str]]) -> None:
        taken = Counter(name for names in held for name in names)
        come = Counter({f"{each.name}#{each.generation}" for each in self.arrived})
        if taken != come:
            raise Violation(f"lost: {come - taken}, twice or strange: {taken - come}")

    def _complete(self, key: str, runs: Sequence[Run]) -> None:
        held = [self.consumed(run) for run in runs]
        newest: dict[str, int] = {}
        for each in self.arrived:
            if key in each.name and not each.name.startswith(("done", "lists")):
                newest[each.name] = max(int(each.generation), newest.get(each.name, 0))
        final = sorted(f"{each}#{generation}" for each, generation in newest.items())
        first = sorted(f"{each}#1" for each in newest)
        assert isinstance(self.trigger, ObjectsTrigger)
        if not held:
            raise Violation(f"{key} has no run")
        if len(set(map(tuple, held))) != len(held):
            raise Violation(f"{key} has two runs for the same: {held}")
        if self.trigger.on_rewrite == "ignore":
            if len(held) != 1:
                raise Violation(f"{key} has {len(held)} runs: {held}")
            return
        if sorted(held[-1]) != final:
            raise Violation(f"the last run of {key} is for {held[-1]}, not for {final}; first {first}")
        if self.trigger.quiet is None and any(len(names) != len(newest) for names in held):
            raise Violation(f"a run of {key} is for an incomplete set: {held}")
        most = len(newest) + 2 * (len(final) - len(set(final) & set(first))) + 1
        if len(held) > most:
            raise Violation(f"{key} has {len(held)} runs: {held}")


def tell(seed: int, kind: str) -> World:
    """A story of this kind of set. Raises `Violation`."""
    world: World = Laptop(seed) if seed % 2 else Cloud(seed)
    told = Told(world, kind)
    try:
        _happen(told, world.rng)
        world.play(until=START + 4 * HOUR)
        world.faults.off()
        world.play(until=START + 20 * DAY)
        told.check()
        world.watcher.at_the_end()
        world.play(until=START + 100 * DAY)
        if isinstance(world, Laptop):
            world.restart()
            world.play(until=world.time + DAY)
        _forgotten(world)
    except Exception as error:
        raise Violation(f"{kind}, seed {seed}: {error!r}") from error
    finally:
        world.close()
    return world


def _forgotten(world: World) -> None:
    left = world.store.open_sets(10)
    if left:
        raise Violation(f"never expired: {left}")


def _happen(told: Told, rng: Random) -> None:
    def times() -> int:
        return rng.choice((1, 1, 2))

    match told.trigger:
        case BatchTrigger(count=count):
            for number in range(rng.randint(1, 3 * count)):
                told.put(f"in/{number}.csv", delay=rng.randint(0, 3 * MINUTE), times=times())
        case PipelineTrigger(pipelines=pipelines):
            for key in KEYS:
                for each in pipelines:
                    ended = RunEnded(f"{each}-{key}", each, "succeeded", {"day": key, "n": 1})
                    for _ in range(times()):
                        told.hear(ended, rng.randint(0, HOUR))
        case AbsentTrigger():
            if rng.random() < 0.5:
                told.put("in/2023-11-14.csv", delay=rng.randint(0, HOUR), times=times())
            told.tick(HOUR + rng.randint(0, MINUTE), times())
        case _:
            for key in KEYS:
                names = [f"orders/{key}.csv", f"rates/{key}.csv"]
                if told.kind not in ("parts", "parts, once"):
                    names += [f"extra/{key}/{number}.csv" for number in range(3)]
                _fill(told, rng, key, names)


def _fill(told: Told, rng: Random, key: str, names: list[str]) -> None:
    rng.shuffle(names)
    for each in names:
        told.put(each, 1, rng.randint(0, 5 * MINUTE), rng.choice((1, 1, 2)))
    if told.kind == "manifest":
        lines = "\n".join(names)
        told.world.objects[f"gs://landing/lists/{key}.txt"] = lines.encode()
        told.put(f"lists/{key}.txt", 1, rng.randint(0, 5 * MINUTE), 2)
    elif told.kind == "marker":
        told.put(f"done/{key}", 1, rng.randint(0, 5 * MINUTE), 2)
    elif rng.random() < 0.5:
        told.put(rng.choice(names), 2, rng.randint(0, 2 * HOUR), rng.choice((1, 2)))
