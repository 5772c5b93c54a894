# Buckets, who may use them, and the notifications of new objects.

locals {
  names = merge({ for key, b in var.buckets : key => b.name }, { staging = var.staging, code = var.code })
  made = merge(
    { for key, b in var.buckets : key => { project = b.project } if b.create },
    { staging = { project = var.project } },
  )
  days = { # after which objects whose names begin so are deleted
    work    = { "onward/" = 180 }
    staging = { "temp/" = 30 }
  }
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62: who reads and writes is in the audit log; access logs cost more than they say
  #checkov:skip=CKV_GCP_78: versions are kept by names: outputs carry the run, code its content
  for_each                    = local.made
  project                     = each.value.project
  name                        = local.names[each.key]
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.keep_state

  # What was deleted is kept, and paid for, for a week; what was put aside is not worth it.
  dynamic "soft_delete_policy" {
    for_each = each.key == "staging" ? [0] : []
    content { retention_duration_seconds = soft_delete_policy.value }
  }
  dynamic "encryption" {
    for_each = var.kms_key[*]
    content { default_kms_key_name = encryption.value }
  }
  dynamic "lifecycle_rule" {
    for_each = lookup(local.days, each.key, {})
    content {
      action { type = "Delete" }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
      }
    }
  }
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = { for key, g in var.grants : key => g if g.on == "bucket" }
  bucket   = try(google_storage_bucket.this[each.value.name].name, local.names[each.value.name])
  role     = each.value.role
  member   = lookup(var.members, each.value.to, each.value.to)
  dynamic "condition" {
    for_each = each.value.condition[*]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
}

# Cloud Storage itself publishes, by an agent of the bucket's project.
data "google_storage_project_service_account" "agent" {
  for_each = toset([for key in var.watched : var.buckets[key].project])
  project  = each.key
}

resource "google_pubsub_topic_iam_member" "agent" {
  for_each = data.google_storage_project_service_account.agent
  topic    = var.topic
  role     = "roles/pubsub.publisher"
  member   = each.value.member
}

resource "google_storage_notification" "this" {
  for_each       = var.watched
  bucket         = try(google_storage_bucket.this[each.key].name, local.names[each.key])
  topic          = var.topic
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]
  depends_on     = [google_pubsub_topic_iam_member.agent]
}
