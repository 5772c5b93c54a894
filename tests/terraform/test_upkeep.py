"""What is kept, paid for and told."""

from __future__ import annotations

import json

from terraform.applying import DEPLOYMENT, FULL, State, Terraform
from terraform.granted import account, functions, made, number_of

GIVEN = json.loads(FULL.read_text())
ASKED = json.loads(DEPLOYMENT.read_text())


def test_a_key_of_ones_own_encrypts_all_that_is_kept(applied: State) -> None:
    kept = [
        *[each["encryption"][0]["default_kms_key_name"] for each in applied.of("google_storage_bucket")],
        *[each["cmek_config"][0]["kms_key_name"] for each in applied.of("google_firestore_database")],
        *[each["kms_key_name"] for each in applied.of("google_pubsub_topic")],
        *[each["kms_key_name"] for each in functions(applied)],
        *[each["crypto_key_name"] for each in applied.of("google_workflows_workflow")],
    ]
    assert set(kept) == {GIVEN["kms_key"]}
    open_to = {(each.role, each.member) for each in made(applied) if each.on == "key"}
    home, jobs = number_of(applied), number_of(applied, "acme-jobs")
    for number, agent in (
        (home, "gcp-sa-pubsub"),
        (home, "gcp-sa-firestore"),
        (jobs, "dataproc-accounts"),
    ):
        member = f"serviceAccount:service-{number}@{agent}.iam.gserviceaccount.com"
        assert ("roles/cloudkms.cryptoKeyEncrypterDecrypter", member) in open_to
    assert len(open_to) == 5 + 2 * 4


def test_definitions_and_policies_are_where_jobs_run(applied: State) -> None:
    places = {("acme-data", "europe-west1"), ("acme-jobs", "us-central1")}
    definitions = {
        (each["project"], each["region"], each["name"]) for each in applied.of("google_workflows_workflow")
    }
    assert definitions == {(*place, name) for place in places for name in ASKED["definitions"]}
    for each in applied.of("google_workflows_workflow"):
        assert each["service_account"].endswith(account(f"jobs@{each['project']}"))
    policies = {
        (each["project"], each["location"], each["policy_id"])
        for each in applied.of("google_dataproc_autoscaling_policy")
    }
    assert policies == {(*place, name) for place in places for name in GIVEN["autoscaling_policies"]}


def test_the_state_is_protected(applied: State) -> None:
    (database,) = applied.of("google_firestore_database")
    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert database["deletion_policy"] == "PREVENT"
    assert [each["name"] for each in applied.of("google_storage_bucket") if each["force_destroy"]] == []


def test_nothing_of_ours_is_kept_for_ever_in_the_buckets(applied: State) -> None:
    rules = {
        each["name"]: [
            (rule["condition"][0]["matches_prefix"], rule["condition"][0]["age"])
            for rule in each["lifecycle_rule"]
        ]
        for each in applied.of("google_storage_bucket")
        if each["lifecycle_rule"]
    }
    assert rules == {
        "acme-data-onward-work": [(["onward/"], 180)],
        "acme-data-onward-staging": [(["temp/"], 30)],
    }


def test_labels_for_billing_are_on_everything(terraform: Terraform, applied: State) -> None:
    for each in functions(applied):
        labels = each["service_config"][0]["environment_variables"]["ONWARD_JOB_LABELS"]
        assert labels == "env=prod, onward=onward, team=data"
    assert "default_labels = local.labels" in (terraform.folder / "versions.tf").read_text()


def test_every_alert_is_sent_to_somebody(applied: State) -> None:
    alerts = applied.of("google_monitoring_alert_policy")
    channels = {each["id"] for each in applied.of("google_monitoring_notification_channel")}
    assert len(alerts) == 7
    for each in alerts:
        assert set(each["notification_channels"]) == channels, each["display_name"]
        assert each["documentation"][0]["content"]
