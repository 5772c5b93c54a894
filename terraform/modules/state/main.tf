# The database, and exactly the indexes that `onward.stores.firestore_queries` asks for.

locals {
  indexes = [
    { collection = "runs", fields = [["pipeline", "ASCENDING"], ["started", "DESCENDING"]] },
    { collection = "runs", fields = [["pipeline", "ASCENDING"], ["began", "DESCENDING"]] },
    { collection = "runs", fields = [["pipeline", "ASCENDING"], ["open", "DESCENDING"]] },
  ]
  unindexed = {
    plans      = ["body", "format", "replaces"]
    runs       = ["began", "body", "format", "pipeline", "replaces"]
    nodes      = ["arrived", "body", "format", "replaces"]
    sets       = ["body", "format", "replaces"]
    members    = ["body", "format", "replaces"]
    admissions = ["admitted", "body", "format", "replaces"]
    waiters    = ["body", "format", "replaces"]
    pipelines  = ["body", "format", "replaces"]
    backfills  = ["body", "format", "replaces"]
  }
}

resource "google_firestore_database" "this" {
  project                 = var.project
  name                    = var.name
  location_id             = var.location
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = var.keep_state ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy         = var.keep_state ? "PREVENT" : "DELETE"

  dynamic "cmek_config" {
    for_each = var.kms_key[*]
    content { kms_key_name = cmek_config.value }
  }
}

resource "google_firestore_index" "this" {
  for_each   = { for i in local.indexes : join(" ", [i.collection, join(" ", i.fields[*][0])]) => i }
  project    = var.project
  database   = google_firestore_database.this.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value[0]
      order      = fields.value[1]
    }
  }
}

# An empty index_config switches Firestore's own index of the field off: it would cost a write, and on text 1,500 bytes.
resource "google_firestore_field" "unindexed" {
  for_each   = toset(flatten([for collection, fields in local.unindexed : [for field in fields : "${collection}.${field}"]]))
  project    = var.project
  database   = google_firestore_database.this.name
  collection = split(".", each.key)[0]
  field      = split(".", each.key)[1]
  index_config {}
}
