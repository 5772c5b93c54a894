"""Who was granted what, as read from an applied state."""

from __future__ import annotations

from typing import NamedTuple

from terraform.applying import State, Values

IAM = {
    "google_project_iam_member": ("project", "project"),
    "google_service_account_iam_member": ("account", "service_account_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_pubsub_subscription_iam_member": ("subscription", "subscription"),
    "google_cloud_tasks_queue_iam_member": ("queue", "name"),
    "google_cloud_run_v2_service_iam_member": ("function", "name"),
    "google_artifact_registry_repository_iam_member": ("repository", "repository"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id"),
    "google_kms_crypto_key_iam_member": ("key", "crypto_key_id"),
}
"""Every kind of grant: on what, and where the resource names it."""


class Grant(NamedTuple):
    """Who got which role on what, by the last part of its name, under which condition."""

    member: str
    role: str
    on: str
    name: str
    condition: str = ""


def made(state: State) -> set[Grant]:
    """Every grant that was made."""
    return {
        Grant(
            each.values["member"],
            each.values["role"],
            on,
            last(each.values[where]),
            "".join(condition["expression"] for condition in each.values.get("condition", ())),
        )
        for each in state.resources
        if each.type in IAM
        for on, where in [IAM[each.type]]
    }


def last(name: str) -> str:
    """The last part of a resource's name."""
    return name.rpartition("/")[2]


def member(email: str) -> str:
    """An account as a grant names it."""
    return f"serviceAccount:{email}"


def account(key: str) -> str:
    """The e-mail address of a key of topology's accounts."""
    name, _, project = key.partition("@")
    return f"onward-{name.replace('_', '-')}@{project or 'acme-data'}.iam.gserviceaccount.com"


def number_of(state: State, project: str = "acme-data") -> str:
    """The number that Google's own accounts and the functions' addresses have in their names."""
    return str(state.one("google_project", project_id=project)["number"])


def agents(state: State) -> set[Grant]:
    """What Google's own accounts must be allowed, each for one reason."""
    number = number_of(state)
    pubsub = member(f"service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com")
    pushes = [each["name"] for each in state.of("google_pubsub_subscription") if each["push_config"]]
    return {
        Grant(pubsub, "roles/pubsub.publisher", "topic", "onward-dead-letter"),
        *(Grant(pubsub, "roles/pubsub.subscriber", "subscription", name) for name in pushes),
        *(
            Grant(each["member"], "roles/pubsub.publisher", "topic", "onward-object")
            for each in state.of("google_storage_project_service_account")
        ),
        *(
            Grant(each["writer_identity"], "roles/pubsub.publisher", "topic", "onward-completions")
            for each in state.of("google_logging_project_sink")
        ),
    }


def functions(state: State) -> list[Values]:
    """All functions."""
    found = state.of("google_cloudfunctions2_function")
    assert found
    return found


def leads_to(state: State, topic: str) -> str:
    """The name of the function that the topic's messages are pushed to."""
    services = {each["service_config"][0]["uri"]: each["name"] for each in functions(state)}
    subscription = state.one("google_pubsub_subscription", topic=topic)
    return services[subscription["push_config"][0]["push_endpoint"].partition("?")[0]]
