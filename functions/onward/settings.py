"""A deployment's settings: environment variables, read once, each checked.

ONWARD_DEPLOYMENT         keeps apart those that share a project           none
ONWARD_PROJECT            where Onward keeps its state and topics         required
ONWARD_REGION             of the timers' queue, and of jobs by default    required
ONWARD_WORK_BUCKET        large outputs and histories                     required
ONWARD_TIMER_URL          where `on_timer` answers                        required
ONWARD_TIMER_ACCOUNT      the service account that timers call it as      required
ONWARD_TIMER_QUEUE        a queue's name in the region                    onward-timers
ONWARD_PYTHON_URL         where `run_python` answers                      required
ONWARD_PYTHON_ACCOUNT     the service account that tasks call it as       required
ONWARD_PYTHON_QUEUE       a queue's name in the region                    onward-python
ONWARD_WAKE_TOPIC         topics' names in the project                    onward-wake
ONWARD_COMPLETIONS_TOPIC                                                  onward-completions
ONWARD_DEAD_LETTER_TOPIC                                                  onward-dead-letter
ONWARD_ANNOUNCEMENT_TOPIC                                                 onward-announcements
ONWARD_PYSPARK_BELL       the topic on which PySpark jobs ring            none: they don't
ONWARD_DATABASE           Firestore's                                     (default)
ONWARD_CODE_BUCKET        what was deployed for jobs                      the work bucket
ONWARD_WORKFLOWS          the folder of the pipelines                     workflows, beside main.py
ONWARD_JOB_*              each field of `services.settings.Settings`      project and region as above
ONWARD_JOB_LABELS         name=value, name=value
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from onward.core.errors import UserError
from onward.core.problems import shown
from onward.services.settings import Settings as JobSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment."""

    deployment: str
    project: str
    region: str
    work_bucket: str
    timer_url: str
    timer_account: str
    timer_queue: str
    python_url: str
    python_account: str
    python_queue: str
    wake_topic: str
    completions_topic: str
    dead_letter_topic: str
    announcement_topic: str
    pyspark_bell: str
    database: str
    code_bucket: str
    workflows: Path
    jobs: JobSettings

    def queue(self, name: str) -> str:
        """A queue's full name."""
        return f"projects/{self.project}/locations/{self.region}/queues/{name}"

    def topic(self, name: str) -> str:
        """A topic's full name."""
        return name if name.startswith("projects/") else f"projects/{self.project}/topics/{name}"


class _Rule(NamedTuple):
    pattern: str
    wanted: str
    default: str | None = None


_BUCKET = _Rule(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "a bucket's name, without gs://")
_ACCOUNT = _Rule(r"[^@\s]+@[^@\s]+", "a service account's e-mail address")
_NAME = _Rule(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}", "a name, without projects/ before it")
_RULES = {
    "project": _Rule(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project id such as my-project"),
    "region": _Rule(r"[a-z]+-[a-z]+[0-9]+", "a region such as europe-west1"),
    "work_bucket": _BUCKET,
    "deployment": _Rule(r"[a-z][a-z0-9-]{0,30}", "a short name such as prod", ""),
    "timer_url": _Rule(r"https?://[^\s?#]+", "a URL such as https://on-timer-abc.a.run.app"),
    "timer_account": _ACCOUNT,
    "timer_queue": _NAME._replace(default="onward-timers"),
    "python_url": _Rule(r"https?://[^\s?#]+", "a URL such as https://run-python-abc.a.run.app"),
    "python_account": _ACCOUNT,
    "python_queue": _NAME._replace(default="onward-python"),
    "wake_topic": _NAME._replace(default="onward-wake"),
    "completions_topic": _NAME._replace(default="onward-completions"),
    "dead_letter_topic": _NAME._replace(default="onward-dead-letter"),
    "announcement_topic": _NAME._replace(default="onward-announcements"),
    "pyspark_bell": _NAME._replace(default=""),
    "database": _Rule(
        r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]", "a database's name, or (default)", "(default)"
    ),
    "code_bucket": _BUCKET._replace(default=""),
}
_LABEL = re.compile(r"\s*([a-z][a-z0-9_-]{0,62})\s*=\s*([a-z0-9_-]{0,63})\s*")


def read(environ: Mapping[str, str], beside: Path) -> Settings:
    """The settings, with the `workflows` folder beside main.py. Raises `UserError` with all that is wrong."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, rule in _RULES.items():
        variable = f"ONWARD_{name.upper()}"
        value = environ.get(variable) or rule.default
        if value is None:
            problems.append(f"{variable} is not set; it must be {rule.wanted}")
        elif value and not re.fullmatch(rule.pattern, value):
            problems.append(f"{variable} must be {rule.wanted}, not {shown(value)}")
        found[name] = value or ""
    labels = _labels(environ.get("ONWARD_JOB_LABELS", ""), problems)
    if problems:
        raise UserError("\n".join(problems))
    names = [name for name in JobSettings.__struct_fields__ if name != "labels"]
    given = {name: value for name in names if (value := environ.get(f"ONWARD_JOB_{name.upper()}"))}
    jobs = JobSettings(**{"project": found["project"], "region": found["region"], **given}, labels=labels)
    found["code_bucket"] = found["code_bucket"] or found["work_bucket"]
    workflows = Path(environ.get("ONWARD_WORKFLOWS") or beside / "workflows")
    return Settings(**found, workflows=workflows, jobs=jobs)


def _labels(text: str, problems: list[str]) -> dict[str, str]:
    labels = {}
    for part in filter(str.strip, text.split(",")):
        found = _LABEL.fullmatch(part)
        if found is None:
            problems.append(f"ONWARD_JOB_LABELS must be such as team=data, env=prod, not {shown(part)}")
        else:
            labels[found[1]] = found[2]
    return labels
