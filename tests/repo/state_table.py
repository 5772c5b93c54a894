"""The table of states and events, drawn from the rules themselves: `python tests/repo/state_table.py`."""

from __future__ import annotations

from onward.core.transition import STEP_RULES


def table() -> str:
    """Markdown: a row for each phase, a column for each event, the rule's name where they meet."""
    phases = list(dict.fromkeys(phase for phase, _ in STEP_RULES))
    events = list(dict.fromkeys(event for _, event in STEP_RULES))
    lines = ["| | " + " | ".join(event.__name__ for event in events) + " |", "|---" * (len(events) + 1) + "|"]
    for phase in phases:
        rules = (STEP_RULES.get((phase, event)) for event in events)
        cells = (rule.__name__ if rule is not None else "" for rule in rules)
        lines.append(f"| **{phase.__name__}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
