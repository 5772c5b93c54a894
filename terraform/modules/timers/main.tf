# What rings later: queues of single calls, and schedules.

resource "google_cloud_tasks_queue" "this" {
  for_each = var.queues
  project  = var.project
  location = var.region
  name     = each.value.name

  rate_limits {
    max_concurrent_dispatches = each.value.concurrent
    max_dispatches_per_second = 500
  }
  retry_config {
    max_attempts = -1 # no timer is given up: a run may have no other
    min_backoff  = each.value.min_backoff
    max_backoff  = "600s"
  }
}

resource "google_cloud_tasks_queue_iam_member" "this" {
  for_each = { for key, g in var.grants : key => g if g.on == "queue" }
  project  = var.project
  location = var.region
  name     = google_cloud_tasks_queue.this[each.value.name].name
  role     = each.value.role
  member   = lookup(var.members, each.value.to, each.value.to)
}

resource "google_cloud_scheduler_job" "this" {
  for_each         = var.schedules
  project          = var.project
  region           = var.region
  name             = "${var.prefix}-${each.key}"
  schedule         = each.value.cron
  time_zone        = each.value.time_zone
  attempt_deadline = "60s"

  http_target {
    uri         = var.url
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ schedule = each.key, pipeline = each.value.pipeline }))
    oidc_token {
      service_account_email = var.caller
      audience              = var.url
    }
  }
  retry_config {
    # Until both are used up: a time that nobody took in would be no run.
    retry_count          = 5
    max_retry_duration   = "3600s"
    min_backoff_duration = "5s"
    max_backoff_duration = "600s"
  }
}
