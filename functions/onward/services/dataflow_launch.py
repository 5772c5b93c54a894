"""What a dataflow step launches, in the service's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onward.core.errors import Refused
from onward.core.pipeline import Dataflow
from onward.core.problems import shown
from onward.ports import JobRequest
from onward.services.bodies import message, reserve
from onward.services.labels import labels
from onward.services.resources import CLASSIC, FLEX, fields, text
from onward.services.settings import Settings

if TYPE_CHECKING:
    from google.cloud import dataflow_v1beta3 as df

# An update takes the name of the job it replaces; ours name their attempt.
_OWN = ("jobName", "update", "transformNameMapping", "transformNameMappings")
_WHY = "Onward names its jobs"


def flex(request: JobRequest, settings: Settings, spec: str) -> df.LaunchFlexTemplateRequest:
    """The launch of a Flex Template: of the spec, or of the one that the `launch` body names.

    Raises `Refused` for a body or an argument that the service can't take.
    """
    from google.cloud import dataflow_v1beta3 as df

    does = request.step.does
    assert isinstance(does, Dataflow)
    reserve("launch", does.launch, _OWN, _WHY)
    project, region = settings.place(request.step)
    own: dict[str, Any] = {
        "jobName": request.name,
        "environment": {"additionalUserLabels": labels(request, settings.labels)},
    }
    parameter = message(
        df.LaunchFlexTemplateParameter,
        ("resources", {"environment": fields(FLEX, settings, request.step.resources)}),
        ("launch", does.launch),
        ("args", {"parameters": parameters(does.args)}),
        ("launch", own | ({"containerSpecGcsPath": spec} if spec else {})),
    )
    if not parameter.container_spec_gcs_path and not parameter.container_spec.image:
        raise Refused(
            "`launch`: which template? Give `containerSpecGcsPath` for a Flex Template, "
            "`gcsPath` for a classic one"
        )
    return df.LaunchFlexTemplateRequest(project_id=project, location=region, launch_parameter=parameter)


def classic(request: JobRequest, settings: Settings) -> df.LaunchTemplateRequest:
    """The launch of a classic template: the `launch` body is a LaunchTemplateRequest.

    Raises `Refused` for a body or an argument that the service can't take.
    """
    from google.cloud import dataflow_v1beta3 as df

    does = request.step.does
    assert isinstance(does, Dataflow)
    reserve("launch", does.launch, ("projectId", "location", "validateOnly"), "`resources` say where it runs")
    launching = does.launch.get("launchParameters", does.launch.get("launch_parameters", {}))
    if isinstance(launching, Mapping):
        reserve("launch.launchParameters", launching, _OWN, _WHY)
    project, region = settings.place(request.step)
    own = {
        "jobName": request.name,
        "parameters": parameters(does.args),
        "environment": {"additionalUserLabels": labels(request, settings.labels)},
    }
    environment = fields(CLASSIC, settings, request.step.resources)
    return message(
        df.LaunchTemplateRequest,
        ("resources", {"launchParameters": {"environment": environment}}),
        ("launch", does.launch),
        ("launch", {"projectId": project, "location": region, "launchParameters": own}),
    )


def parameters(args: Mapping[str, Any]) -> dict[str, str]:
    """Template parameters; as on a laptop, null and false leave an option out."""
    found = {}
    for name, value in args.items():
        if isinstance(value, list | dict):
            raise Refused(f"`args`: a template takes no list or mapping for {shown(name)}; write it as text")
        if value is not None and value is not False:
            found[name] = text(value)
    return found
