output "accounts" {
  description = "Service accounts: key → project, id, title, email."
  value       = local.accounts
}

output "roles" {
  description = "Custom roles: key → project, id, title, permissions."
  value       = local.roles
}

output "grants" {
  description = "Every grant: `to` (a key of `accounts`, or a principal) gets `role` `on` the thing called `name`, perhaps under a `condition`."
  value       = local.grants
  precondition {
    condition     = length(setintersection([for g in local.grants : g.role], local.basic_roles)) == 0
    error_message = "Nobody gets a basic role."
  }
}

output "functions" {
  description = "Functions by entry point: what `functions` says, `name` and `url`."
  value       = local.functions
}

output "environment" {
  description = "What `onward.settings` reads."
  value = {
    ONWARD_DEPLOYMENT           = var.prefix
    ONWARD_PROJECT              = var.project
    ONWARD_REGION               = var.region
    ONWARD_WORK_BUCKET          = local.work
    ONWARD_CODE_BUCKET          = var.code_bucket
    ONWARD_TIMER_URL            = local.functions["on_timer"].url
    ONWARD_TIMER_ACCOUNT        = local.accounts["tasks"].email
    ONWARD_TIMER_QUEUE          = local.queues["timers"].name
    ONWARD_PYTHON_URL           = local.functions["run_python"].url
    ONWARD_PYTHON_ACCOUNT       = local.accounts["tasks"].email
    ONWARD_PYTHON_QUEUE         = local.queues["python"].name
    ONWARD_COMPLETIONS_TOPIC    = local.topics["completions"]
    ONWARD_PYSPARK_BELL         = var.pyspark_bell ? local.topics["completions"] : ""
    ONWARD_WAKE_TOPIC           = local.topics["wake"]
    ONWARD_DEAD_LETTER_TOPIC    = local.topics["dead-letter"]
    ONWARD_ANNOUNCEMENT_TOPIC   = local.topics["announcements"]
    ONWARD_DATABASE             = var.database
    ONWARD_JOB_SERVICE_ACCOUNT  = local.accounts["jobs@${var.project}"].email
    ONWARD_JOB_TEMP_LOCATION    = "gs://${local.staging}/temp"
    ONWARD_JOB_STAGING_LOCATION = "gs://${local.staging}/staging"
    ONWARD_JOB_STAGING_BUCKET   = local.staging
  }
}

output "buckets" {
  description = "Buckets of the pipelines, by their names in `env`: what `buckets` says, with the `name`."
  value       = local.buckets
}

output "staging" {
  description = "The bucket of what services put aside while a job runs."
  value       = local.staging
}

output "watched" {
  description = "Keys of the buckets whose new objects start runs."
  value       = local.watched
}

output "topics" {
  description = "Topics to make: key → name."
  value       = local.topics
}

output "routes" {
  description = "Subscriptions: which topic is pushed to which function, and where what it can't take goes."
  value       = local.routes
}

output "completions" {
  description = "The filter of log entries that say that a job has ended."
  value       = local.completions
}

output "queues" {
  description = "Queues of Cloud Tasks: key → name, how many calls at once, and when the first is repeated."
  value       = local.queues
}

output "schedules" {
  description = "Schedules by name."
  value       = { for s in var.deployment.schedules : s.name => s }
}

output "job_projects" {
  description = "Where jobs run: project → its regions, the key of its jobs' account, the role to submit there."
  value       = local.job_projects
}

output "repository" {
  description = "The repository of images, by its full name."
  value       = local.repository
}
