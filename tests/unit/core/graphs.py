"""Random pipelines for Hypothesis: DAGs, some of them wider than a transition may touch."""

from __future__ import annotations

from hypothesis import strategies as st
from onward.core.pipeline import Pipeline, Step
from unit.core.telling import step

WHENS = ("success", "success", "failure", "all_done", "always")


@st.composite
def pipelines(draw: st.DrawFn, most: int = 12) -> Pipeline:
    """Each step needs some of those before it; now and then a layer is very wide."""
    steps: list[Step] = []
    for layer in range(draw(st.integers(1, 4))):
        width = draw(st.sampled_from((1, 2, 3, most, 40))) if layer == 0 else draw(st.integers(1, 4))
        before = [one.name for one in steps]
        for n in range(width):
            if not before:
                needs: tuple[str, ...] = ()
            elif draw(st.integers(0, 3)) == 0:
                needs = tuple(before)
            else:
                needs = tuple(draw(st.lists(st.sampled_from(before), max_size=5, unique=True)))
            when = draw(st.sampled_from(WHENS)) if needs else "success"
            steps.append(step(f"l{layer}-{n}", *needs, when=when))
    return Pipeline("random", tuple(steps))
