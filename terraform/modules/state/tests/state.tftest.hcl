mock_provider "google" {}

variables {
  project    = "acme"
  name       = "(default)"
  location   = "eur3"
  kms_key    = null
  keep_state = true
}

run "the_database_is_kept_unless_told" {
  command = plan
  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.this.deletion_policy == "PREVENT"
    error_message = "destroy would drop the state"
  }
}

run "and_dropped_when_told" {
  command = plan
  variables { keep_state = false }
  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED" && google_firestore_database.this.deletion_policy == "DELETE"
    error_message = "destroy would leave a database that costs money"
  }
}

run "an_exempt_field_has_an_empty_index" {
  command = plan
  assert {
    condition     = alltrue([for f in google_firestore_field.unindexed : length(f.index_config) == 1 && length(f.index_config[0].indexes) == 0])
    error_message = "a field keeps an index"
  }
}

run "a_location_that_firestore_does_not_have" {
  command = plan
  variables { location = "Europe" }
  expect_failures = [var.location]
}
