mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { member = "serviceAccount:one@acme.iam.gserviceaccount.com", name = "projects/acme/serviceAccounts/one@acme.iam.gserviceaccount.com" }
  }
}

variables {
  project = "acme"
  accounts = {
    one   = { project = "acme", id = "onward-one", title = "One" }
    other = { project = "acme-jobs", id = "onward-jobs", title = "Jobs" }
  }
  roles = { r = { project = "acme", id = "onward_r", title = "R", permissions = ["dataproc.jobs.create"] } }
  grants = {
    a = { to = "one", on = "project", name = "acme", role = "roles/datastore.user", condition = { title = "t", expression = "true" } }
    b = { to = "one", on = "account", name = "own@acme-jobs.iam.gserviceaccount.com", role = "roles/iam.serviceAccountUser" }
    c = { to = "one", on = "repository", name = "projects/acme/locations/europe-west1/repositories/onward", role = "roles/artifactregistry.writer" }
    d = { to = "group:g@example.com", on = "topic", name = "start", role = "roles/pubsub.publisher" }
  }
}

run "each_grant_is_made_on_its_thing_and_no_other" {
  assert {
    condition     = keys(google_project_iam_member.this) == ["a"] && keys(google_service_account_iam_member.this) == ["b"] && keys(google_artifact_registry_repository_iam_member.this) == ["c"]
    error_message = "a grant was made elsewhere, or not at all"
  }
  assert {
    condition     = google_project_iam_member.this["a"].condition[0].expression == "true"
    error_message = "a condition was lost"
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.this["c"].location == "europe-west1" && google_artifact_registry_repository_iam_member.this["c"].repository == "onward"
    error_message = "the repository's name was taken apart wrongly"
  }
}

run "an_account_of_a_pipeline_is_found_in_whatever_project" {
  assert {
    condition     = google_service_account_iam_member.this["b"].service_account_id == "projects/-/serviceAccounts/own@acme-jobs.iam.gserviceaccount.com"
    error_message = google_service_account_iam_member.this["b"].service_account_id
  }
}
