mock_provider "google" {}

variables {
  project = "acme"
  region  = "europe-west1"
  prefix  = "onward"
  queues = {
    timers = { name = "onward-timers", concurrent = 100, min_backoff = "1s" }
    python = { name = "onward-python", concurrent = 7, min_backoff = "5s" }
  }
  schedules = { nightly = { cron = "0 3 * * *", time_zone = "Europe/Berlin", pipeline = "weather" } }
  url       = "https://on-timer.example.com"
  caller    = "tasks@acme.iam.gserviceaccount.com"
  grants    = {}
  members   = {}
}

run "no_timer_is_given_up" {
  command = plan
  assert {
    condition     = alltrue([for q in google_cloud_tasks_queue.this : q.retry_config[0].max_attempts == -1])
    error_message = "a queue gives up"
  }
}

run "python_steps_are_limited_and_timers_are_not_by_them" {
  command = plan
  assert {
    condition     = { for k, q in google_cloud_tasks_queue.this : k => q.rate_limits[0].max_concurrent_dispatches } == { timers = 100, python = 7 }
    error_message = "the limit is on the wrong queue"
  }
}

run "a_schedule_rings_on_timer_in_its_own_time_zone" {
  command = plan
  assert {
    condition     = google_cloud_scheduler_job.this["nightly"].time_zone == "Europe/Berlin" && google_cloud_scheduler_job.this["nightly"].http_target[0].oidc_token[0].audience == "https://on-timer.example.com"
    error_message = "wrong time zone, or no token"
  }
  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.this["nightly"].http_target[0].body)) == { pipeline = "weather", schedule = "nightly" }
    error_message = "it does not say which schedule it is"
  }
}
