"""Who may do what, whatever module granted it: read from the applied state."""

from __future__ import annotations

from terraform.applying import State
from terraform.granted import IAM, Grant, account, agents, functions, last, made, member, number_of

ENGINE = ("on_object", "on_message", "on_command", "on_wake", "on_job_event", "on_timer")
SUBMITTERS = {"on_wake", "on_job_event", "on_timer"}


def test_every_account_holds_exactly_the_roles_that_the_topology_names(applied: State) -> None:
    buckets = {
        **applied.outputs["env"],
        "code": "acme-data-onward-code",
        "staging": "acme-data-onward-staging",
    }
    topics = {key: last(name) for key, name in applied.outputs["topics"].items()}

    def real(on: str, name: str) -> str:
        match on:
            case "bucket":
                return buckets[name]
            case "topic":
                return topics[name]
            case "queue" | "function":
                return f"onward-{name.replace('_', '-')}"
            case "account":
                return name if name.endswith(".com") else account(name)
            case _:
                return last(name)

    named = {
        Grant(
            each["to"] if ":" in each["to"] else member(account(each["to"])),
            each["role"],
            each["on"],
            real(each["on"], each["name"]),
            (each["condition"] or {"expression": ""})["expression"],
        )
        for each in applied.outputs["grants"].values()
    }
    found = {each for each in made(applied) if each.on != "key"}
    assert found - agents(applied) == named
    assert found >= agents(applied)


def test_no_other_kind_of_grant_is_used(applied: State) -> None:
    """A binding or a policy takes away what others have granted."""
    assert {each.type for each in applied.resources if "_iam_" in each.type} - IAM.keys() == {
        "google_project_iam_custom_role"
    }


def test_nothing_is_public(applied: State) -> None:
    assert {each.member for each in made(applied)} & {"allUsers", "allAuthenticatedUsers"} == set()
    for bucket in applied.of("google_storage_bucket"):
        assert bucket["public_access_prevention"] == "enforced", bucket["name"]
        assert bucket["uniform_bucket_level_access"], bucket["name"]


def test_nobody_has_a_basic_role_and_nothing_has_a_key(applied: State) -> None:
    basic = {"roles/owner", "roles/editor", "roles/viewer", "roles/browser"}
    assert {each.role for each in made(applied)} & basic == set()
    assert applied.of("google_service_account_key") == []


def test_every_function_runs_as_an_account_of_its_own(applied: State) -> None:
    found = {each["name"]: each["service_config"][0]["service_account_email"] for each in functions(applied)}
    assert found == {name: f"{name}@acme-data.iam.gserviceaccount.com" for name in found}
    assert {each["email"] for each in applied.of("google_service_account")} >= set(found.values())


def test_who_reads_arrivals_and_commands_can_not_touch_a_job(applied: State) -> None:
    jobs = {f"projects/{each}/roles/onward_jobs" for each in ("acme-data", "acme-jobs")}
    for role in jobs:
        holders = {each.member for each in made(applied) if each.role == role}
        assert holders == {member(account(each)) for each in SUBMITTERS}
    for each in made(applied):
        if "dataproc" in each.role or "dataflow" in each.role:
            assert each.member in {member(account("jobs@acme-data")), member(account("jobs@acme-jobs"))}, each


def test_submitting_may_be_done_but_not_administering(applied: State) -> None:
    for role in applied.where("google_project_iam_custom_role", role_id="onward_jobs"):
        verbs = {permission.rsplit(".", 1)[1] for permission in role["permissions"]}
        submits = {"create", "cancel", "updateContents", "instantiate", "instantiateInline"}
        assert verbs == submits | {"get", "list", "use", "delete"}
        deletes = [each for each in role["permissions"] if each.endswith(".delete")]
        assert deletes == ["dataproc.clusters.delete"]


def test_jobs_are_submitted_as_their_own_accounts_and_no_function_can_be_another(applied: State) -> None:
    found = {(each.member, each.name) for each in made(applied) if each.on == "account"}
    jobs = {account("jobs@acme-data"), account("jobs@acme-jobs"), "own@acme-jobs.iam.gserviceaccount.com"}
    assert found == {
        *((member(account(each)), account("tasks")) for each in ENGINE),
        *((member(account(each)), job) for each in SUBMITTERS for job in jobs),
    }


def test_user_code_keeps_its_results_rings_and_is_let_into_buckets_by_name_only(applied: State) -> None:
    own = 'resource.name.startsWith("projects/_/buckets/acme-data-onward-work/objects/onward/python/")'
    work, roles = "acme-data-onward-work", "projects/acme-data/roles"
    assert {each[1:] for each in made(applied) if each.member == member(account("run_python"))} == {
        (f"{roles}/onward_results", "bucket", work, own),
        (f"{roles}/onward_names", "bucket", work, ""),
        ("roles/pubsub.publisher", "topic", "onward-completions", ""),
        ("roles/pubsub.publisher", "topic", "onward-dead-letter", ""),
        ("roles/storage.objectViewer", "bucket", "acme-data-onward-landing", ""),
        ("roles/storage.objectUser", "bucket", "acme-data-onward-reports", ""),
    }


def test_announcements_are_made_by_who_decides_and_by_nobody_else(applied: State) -> None:
    found = {
        (each.member, each.role)
        for each in made(applied)
        if (each.on, each.name) == ("topic", "onward-announcements")
    }
    assert found == {(member(account(each)), "roles/pubsub.publisher") for each in ENGINE}


def test_jobs_can_not_write_what_onward_keeps(applied: State) -> None:
    mine = [
        each
        for each in made(applied)
        if each.name == "acme-data-onward-work" and each.member == member(account("jobs@acme-data"))
    ]
    assert [each.condition for each in mine] == [
        '!resource.name.startsWith("projects/_/buckets/acme-data-onward-work/objects/onward/")'
    ]


def test_the_state_is_open_to_the_functions_alone_and_to_no_other_database(applied: State) -> None:
    found = {each for each in made(applied) if "datastore" in each.role}
    assert {each.member for each in found} == {member(account(each)) for each in (*ENGINE, "console")}
    console = member(account("console"))
    assert [each.role for each in found if each.member == console] == ["roles/datastore.viewer"]
    only = 'resource.name == "projects/acme-data/databases/onward"'
    assert {each.condition for each in found} == {only}


def test_who_builds_the_functions_sees_only_their_sources(applied: State) -> None:
    sources = (
        f'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-{number_of(applied)}-europe-west1")'
    )
    assert {each[1:] for each in made(applied) if each.member == member(account("build"))} == {
        ("roles/logging.logWriter", "project", "acme-data", ""),
        ("roles/storage.objectViewer", "project", "acme-data", sources),
        ("roles/artifactregistry.writer", "repository", "onward", ""),
    }


def test_who_may_start_runs_can_not_cancel_them(applied: State) -> None:
    publishers = {
        topic: {each.member for each in made(applied) if (each.on, each.name) == ("topic", f"onward-{topic}")}
        for topic in ("start", "command")
    }
    console = member(account("console"))  # its actions are switched on
    assert publishers == {
        "start": {"group:data@example.com", console},
        "command": {"group:operators@example.com", console},
    }


def test_only_sinks_jobs_and_python_steps_ring(applied: State) -> None:
    sinks = {each["writer_identity"] for each in applied.of("google_logging_project_sink")}
    found = {each.member for each in made(applied) if (each.on, each.name) == ("topic", "onward-completions")}
    jobs = {member(account("jobs@acme-data")), member(account("jobs@acme-jobs"))}
    assert jobs < found
    accounts = {each for each in found - jobs if "own@" not in each}
    assert accounts == {member(account("run_python")), *sinks}
