mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { member = "serviceAccount:onward-deployer@acme-data.iam.gserviceaccount.com" }
  }
}

variables {
  project      = "acme-data"
  region       = "europe-west1"
  job_projects = ["acme-jobs"]
}

run "terraforms_own_state_is_kept_in_versions" {
  assert {
    condition     = google_storage_bucket.this["state"].versioning[0].enabled && !google_storage_bucket.this["state"].force_destroy
    error_message = "an overwritten state would be gone"
  }
}

run "whoever_deploys_has_no_basic_role_and_less_in_job_projects" {
  assert {
    condition     = alltrue([for m in google_project_iam_member.deployer : !contains(["roles/owner", "roles/editor", "roles/viewer"], m.role)])
    error_message = "a basic role"
  }
  assert {
    condition     = length([for m in google_project_iam_member.deployer : m if m.project == "acme-jobs"]) == length(local.job_roles)
    error_message = "the deployer has other roles in the job project"
  }
}

run "every_project_has_the_services_that_its_part_needs" {
  assert {
    condition     = contains(keys(google_project_service.this), "acme-jobs dataproc") && !contains(keys(google_project_service.this), "acme-jobs firestore")
    error_message = jsonencode(keys(google_project_service.this))
  }
}

run "a_key_of_ones_own_is_open_to_those_who_keep_something_here" {
  variables { kms_key = "projects/k/locations/europe-west1/keyRings/r/cryptoKeys/c" }
  assert {
    condition     = [for m in google_kms_crypto_key_iam_member.agent : split("@", m.member)[1]] == ["gcp-sa-artifactregistry.iam.gserviceaccount.com", "gs-project-accounts.iam.gserviceaccount.com"]
    error_message = "the buckets or the images could not be made"
  }
  assert {
    condition     = alltrue([for b in google_storage_bucket.this : b.encryption[0].default_kms_key_name == var.kms_key]) && google_artifact_registry_repository.this.kms_key_name == var.kms_key
    error_message = "something is kept with another key"
  }
}

run "a_prefix_that_is_too_long" {
  command = plan
  variables { prefix = "seventeen-letters" }
  expect_failures = [var.prefix]
}
