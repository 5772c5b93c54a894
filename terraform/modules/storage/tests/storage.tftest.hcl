mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  project  = "acme"
  location = "europe-west1"
  buckets = {
    work    = { name = "acme-work", create = true, project = "acme" }
    archive = { name = "acme-archive", create = false, project = "acme-lake" }
  }
  watched    = ["archive"]
  topic      = "projects/acme/topics/onward-object"
  staging    = "acme-staging"
  code       = "acme-code"
  kms_key    = null
  keep_state = true
  grants     = { a = { to = "one", on = "bucket", name = "archive", role = "roles/storage.objectViewer" } }
  members    = { one = "serviceAccount:one@acme.iam.gserviceaccount.com" }
}

run "no_bucket_can_be_public" {
  command = plan
  assert {
    condition     = alltrue([for b in google_storage_bucket.this : b.public_access_prevention == "enforced" && b.uniform_bucket_level_access])
    error_message = "a bucket can be made public"
  }
}

run "a_bucket_that_exists_is_used_but_not_made" {
  command = plan
  assert {
    condition     = keys(google_storage_bucket.this) == ["staging", "work"] && google_storage_bucket_iam_member.this["a"].bucket == "acme-archive"
    error_message = jsonencode(keys(google_storage_bucket.this))
  }
}

run "a_watched_bucket_tells_of_new_objects_by_the_agent_of_its_own_project" {
  command = plan
  assert {
    condition     = google_storage_notification.this["archive"].bucket == "acme-archive" && google_storage_notification.this["archive"].event_types == toset(["OBJECT_FINALIZE"])
    error_message = "the bucket is not watched"
  }
  assert {
    condition     = google_pubsub_topic_iam_member.agent["acme-lake"].role == "roles/pubsub.publisher"
    error_message = "its agent may not publish"
  }
}

run "objects_are_dropped_only_when_told" {
  command = plan
  variables { keep_state = false }
  assert {
    condition     = google_storage_bucket.this["work"].force_destroy
    error_message = "destroy would stop at objects although it was told to drop them"
  }
}

run "otherwise_a_bucket_with_objects_is_kept" {
  command = plan
  assert {
    condition     = !anytrue([for b in google_storage_bucket.this : b.force_destroy])
    error_message = "destroy would drop objects"
  }
}
