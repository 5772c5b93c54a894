"""Every error Onward raises on purpose, in one tree.

A failure the pipeline should see is an event. A failure the platform should retry is an exception with
`redeliver = True`. A late or repeated event is neither.

    OnwardError
    ├── UserError            somebody's input is wrong; a retry would fail the same way
    │   ├── BadPipeline      a pipeline file has problems (each with file, line, field and hint)
    │   ├── BadParameter     a parameter is missing, unknown or does not parse
    │   ├── BadTemplate      a template does not parse or names something that is not there
    │   ├── BadEvent         a body that is not what it should be: dead letter
    │   └── NotFound         no such pipeline, run, step or log
    ├── Refused              a service refused a job for good: the attempt fails
    └── Temporary            may pass: deliver the event again
        ├── Conflict         somebody else wrote first; read and decide again
        ├── Unavailable      a store or service did not answer
        └── StateInUse       another runtime holds this state folder
"""

from __future__ import annotations


class OnwardError(Exception):
    """Base of all. `redeliver` says what the error means for the event that met it."""

    redeliver = False


class UserError(OnwardError):
    """Somebody's input is wrong: the message says what, where, and how to mend it."""


class BadPipeline(UserError):
    """One or more problems in a pipeline file."""

    def __init__(self, problems: tuple[object, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class BadParameter(UserError):
    """A parameter is missing, unknown or does not parse."""


class BadTemplate(UserError):
    """A template does not parse, or names something that is not there."""


class BadEvent(UserError):
    """A message or request whose body is not what it should be."""


class NotFound(UserError):
    """There is no pipeline, run, step or log of that name."""


class Refused(OnwardError):
    """A service refused a job, and would refuse it again."""


class Temporary(OnwardError):
    """Something that may pass."""

    redeliver = True


class Conflict(Temporary):
    """A document changed between the read and the commit."""


class Unavailable(Temporary):
    """A store or a service did not answer, or asked for patience."""


class StateInUse(Temporary):
    """Another runtime holds the state folder."""
