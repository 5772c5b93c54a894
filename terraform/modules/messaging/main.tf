# Topics, and the subscriptions that push to functions: each with retry and a dead letter that keeps the message.

locals {
  agent        = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  topic_ids    = { for key, topic in google_pubsub_topic.this : key => topic.id }
  dead_letters = toset(values(var.routes)[*].dead_letter)
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83: a key of one's own is `kms_key`; without it Google's encrypts
  for_each     = var.topics
  project      = var.project
  name         = each.value
  kms_key_name = var.kms_key
}

resource "google_pubsub_topic_iam_member" "this" {
  for_each = { for key, g in var.grants : key => g if g.on == "topic" }
  project  = var.project
  topic    = google_pubsub_topic.this[each.value.name].name
  role     = each.value.role
  member   = lookup(var.members, each.value.to, each.value.to)
}

resource "google_pubsub_subscription" "push" {
  for_each                   = var.routes
  project                    = var.project
  name                       = "${var.prefix}-${each.key}"
  topic                      = lookup(local.topic_ids, each.value.topic, each.value.topic)
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"
  expiration_policy { ttl = "" }

  push_config {
    # Which topic a message is of, no message says itself.
    push_endpoint = "${var.endpoints[each.value.function]}${each.value.says == null ? "" : "?topic=${urlencode(each.value.says)}"}"
    oidc_token {
      service_account_email = var.caller
      audience              = var.endpoints[each.value.function]
    }
  }
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }
  dead_letter_policy {
    dead_letter_topic     = local.topic_ids[each.value.dead_letter]
    max_delivery_attempts = 100
  }
}

# Dead letters wait here to be looked at and published again: nobody is subscribed by push.
resource "google_pubsub_subscription" "dead_letter" {
  for_each                   = local.dead_letters
  project                    = var.project
  name                       = "${var.prefix}-${each.key}"
  topic                      = local.topic_ids[each.key]
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"
  expiration_policy { ttl = "" }
}

# Pub/Sub itself moves them, so its agent must be allowed both ends.
resource "google_pubsub_topic_iam_member" "agent" {
  for_each = local.dead_letters
  project  = var.project
  topic    = google_pubsub_topic.this[each.key].name
  role     = "roles/pubsub.publisher"
  member   = local.agent
}

resource "google_pubsub_subscription_iam_member" "agent" {
  for_each     = google_pubsub_subscription.push
  project      = var.project
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}
