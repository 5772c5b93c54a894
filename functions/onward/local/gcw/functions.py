"""Every function that a definition may call, by name, and how arguments meet parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from onward.local.gcw.errors import WorkflowError, failure
from onward.local.gcw.ports import Io
from onward.local.gcw.values import Value, type_name

Implementation = Callable[..., Value]

_KINDS = {
    "str": ("string",),
    "int": ("int",),
    "float": ("double", "int"),
    "bool": ("bool",),
    "bytes": ("bytes",),
    "list[Value]": ("list",),
    "dict[str, Value]": ("map",),
    "None": ("null",),
}

IGNORED = frozenset({"connector_params", "userProject", "projection", "predefinedAcl", "kmsKeyName"})
"""Arguments of connectors that mean nothing on one machine."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    required: bool = True
    kinds: tuple[str, ...] = ()
    """Accepted type names; none means any."""


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: tuple[Parameter, ...]
    implementation: Implementation
    needs_io: bool
    blocking: bool
    """Blocking functions are for `call` steps only, as in the service."""


@cache
def library() -> Mapping[str, Function]:
    """The standard library and the connectors that are available locally."""
    from onward.local.gcw.stdlib import collections, data, helpers, http, storage, system, text

    functions: dict[str, Function] = {}
    for module in (helpers, collections, data, text, system, http, storage):
        for name, implementation in module.FUNCTIONS.items():
            functions[name] = _function(name, implementation, blocking=name in module.BLOCKING)
    return functions


def misfit(name: str, parameters: Sequence[Parameter], given: int | Collection[str]) -> str | None:
    """Why so many arguments, or arguments of these names, do not fit; None when they do."""
    if isinstance(given, int):
        if given > len(parameters):
            return f"{name} takes at most {len(parameters)} arguments, {given} are given"
        present: Collection[str] = [parameter.name for parameter in parameters[:given]]
    else:
        present = given
    known = [parameter.name for parameter in parameters]
    unknown = [argument for argument in present if argument not in known]
    if unknown and not (name.startswith("googleapis.") and IGNORED.issuperset(unknown)):
        takes = ", ".join(known) or "none"
        return f"{name} has no argument `{unknown[0]}` locally (it takes {takes})"
    missing = next((each.name for each in parameters if each.required and each.name not in present), None)
    return f"{name} needs the argument `{missing}`" if missing else None


def named(name: str, parameters: Sequence[Parameter], arguments: Value) -> dict[str, Value]:
    """A list or map of arguments as a map by name, or a TypeError in the workflow."""
    match arguments:
        case list() as items:
            problem = misfit(name, parameters, len(items))
            bound = dict(zip([parameter.name for parameter in parameters], items, strict=False))
        case dict() as bound:
            problem = misfit(name, parameters, bound)
        case other:
            problem, bound = f"the arguments of {name} must be a map or a list, not a {type_name(other)}", {}
    if problem:
        raise failure("TypeError", problem)
    return bound


def invoke(function: Function, arguments: Value, io: Io) -> Value:
    """Calls a function with its arguments, a list or a map."""
    bound = named(function.name, function.parameters, arguments)
    keywords: dict[str, Value] = {}
    for parameter, keyword in zip(function.parameters, _keywords(function.implementation), strict=True):
        if parameter.name in bound:
            value = bound[parameter.name]
            if parameter.kinds and type_name(value) not in parameter.kinds:
                kinds = f"{' or '.join(parameter.kinds)}, not {type_name(value)}"
                raise failure("TypeError", f"{function.name}: `{parameter.name}` must be {kinds}")
            keywords[keyword] = value
    try:
        return function.implementation(*([io] if function.needs_io else []), **keywords)
    except WorkflowError:
        raise
    except (ValueError, OverflowError) as error:
        raise failure("ValueError", f"{function.name}: {error}") from error
    except RecursionError as error:
        raise failure("ResourceLimitError", f"{function.name}: the value is nested too deeply") from error


def _function(name: str, implementation: Implementation, *, blocking: bool) -> Function:
    needs_io = "io" in inspect.signature(implementation).parameters
    parameters = tuple(_parameters(name, implementation))
    return Function(name, parameters, implementation, needs_io, blocking)


def _parameters(name: str, implementation: Implementation) -> Iterable[Parameter]:
    for keyword, parameter in inspect.signature(implementation).parameters.items():
        if keyword == "io":
            continue
        kinds = [_KINDS.get(kind) for kind in str(parameter.annotation).split(" | ")]
        accepted = () if None in kinds else tuple(name for kind in kinds if kind for name in kind)
        plain = keyword.rstrip("_")
        yield Parameter(
            _camel(plain) if name.startswith("googleapis.") else plain,
            parameter.default is inspect.Parameter.empty,
            accepted,
        )


def _keywords(implementation: Implementation) -> list[str]:
    return [keyword for keyword in inspect.signature(implementation).parameters if keyword != "io"]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
