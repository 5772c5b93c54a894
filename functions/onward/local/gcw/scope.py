"""Variables. A loop, an `except` and a parallel branch each see their parent's and keep their own."""

from __future__ import annotations

from onward.local.gcw.errors import failure
from onward.local.gcw.values import MAX_VARIABLE_BYTES, Value, size


class Scope:
    def __init__(self, parent: Scope | None = None) -> None:
        self._values: dict[str, Value] = {}
        self._parent = parent

    def get(self, name: str) -> Value:
        """The nearest variable of that name, or a KeyError in the workflow."""
        holder = self._holder(name)
        if holder is None:
            raise failure("KeyError", f"there is no variable `{name}` here")
        return holder._values[name]

    def set(self, name: str, value: Value) -> None:
        """Assigns to the nearest variable of that name, or makes one here."""
        (self._holder(name) or self).define(name, value)

    def define(self, name: str, value: Value) -> None:
        """Makes a variable here, whatever the parents hold."""
        if size(value) > MAX_VARIABLE_BYTES:
            limit = f"{MAX_VARIABLE_BYTES // 1024} KB"
            raise failure("ResourceLimitError", f"the variable `{name}` is larger than {limit}")
        self._values[name] = value

    def _holder(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope._values:
            scope = scope._parent
        return scope
