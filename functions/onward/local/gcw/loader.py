"""Source text → Definition, or every problem in it."""

from __future__ import annotations

from onward.core.problems import Report
from onward.local.gcw.calls import check_calls
from onward.local.gcw.definition import Definition, Param, Workflow
from onward.local.gcw.reader import VARIABLE, Context
from onward.local.gcw.source import BadSource, Node, read
from onward.local.gcw.steps import StepParser
from onward.local.gcw.variables import check_variables


def load(source: str, filename: str) -> Definition:
    """A definition that the interpreter can run as a whole.

    `source` is YAML or JSON; `filename` is only for messages. BadPipeline holds every problem found,
    among them, by name, each construct and function that is not available locally.
    """
    report = Report(filename, source.count("\n") + 1)
    try:
        root = read(source)
    except BadSource as error:
        report.say(error.line, (), str(error))
        raise report.failure() from None
    parser = StepParser(report)
    workflows = {name: _workflow(parser, name, node) for name, node in _bodies(parser, root).items()}
    definition = Definition(filename, workflows)
    check_calls(definition, report)
    if not report.problems:
        # What did not parse may have been what assigns a variable, so variables are looked at last.
        check_variables(definition, report)
    if report.problems:
        raise report.failure()
    return definition


def _bodies(parser: StepParser, root: Node) -> dict[str, Node]:
    if isinstance(root.content, list):
        return {"main": Node({"steps": root}, root.line)}
    bodies = parser.mapping(root, Context("source"), "a definition")
    if bodies and "main" not in bodies:
        parser.problem(root.line, Context("source"), "there is no workflow `main`")
    return bodies


def _workflow(parser: StepParser, name: str, node: Node) -> Workflow:
    context = Context(name)
    if not VARIABLE.fullmatch(name):
        parser.problem(node.line, context, "a workflow's name has letters, digits and _ only")
    fields = parser.keys(node, context, "a workflow", ("params", "steps"), ("steps",))
    params = _params(parser, fields["params"], context) if "params" in fields else ()
    if name == "main" and len(params) > 1:
        parser.problem(node.line, context, "`main` takes one parameter, the map of the run's arguments")
    parser.names = set()
    return Workflow(name, node.line, params, parser.steps(fields.get("steps"), context))


def _params(parser: StepParser, node: Node, context: Context) -> tuple[Param, ...]:
    params: dict[str, Param] = {}
    for item in node.content if isinstance(node.content, list) else [node]:
        match item.content:
            case str() as name:
                param = Param(name, None)
            case dict() as entry if len(entry) == 1:
                [(name, default)] = entry.items()
                param = Param(name, parser.value(default, context))
            case _:
                name = ""
        if not VARIABLE.fullmatch(name):
            parser.problem(item.line, context, "`params` lists names, each as `name` or `name: default`")
        elif name in params:
            parser.problem(item.line, context, f"two parameters are named {name}")
        else:
            params[name] = param
    return tuple(params.values())
