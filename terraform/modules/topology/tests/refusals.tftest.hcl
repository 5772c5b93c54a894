variables {
  project        = "acme-data"
  project_number = "123456789012"
  region         = "europe-west1"
  code_bucket    = "acme-data-onward-code"
}

run "a_zone_is_no_region" {
  command = plan
  variables { region = "europe-west1-b" }
  expect_failures = [var.region]
}

run "a_misspelt_region" {
  command = plan
  variables { region = "europe-wets1" }
  expect_failures = [var.region]
}

run "a_multi_region" {
  command = plan
  variables { region = "EU" }
  expect_failures = [var.region]
}

run "a_prefix_that_is_too_long_for_a_service_account" {
  command = plan
  variables { prefix = "seventeen-letters" }
  expect_failures = [var.prefix]
}

run "a_prefix_that_ends_in_a_hyphen" {
  command = plan
  variables { prefix = "onward-" }
  expect_failures = [var.prefix]
}

run "a_prefix_with_a_tilde" {
  command = plan
  variables { prefix = "on~ward" }
  expect_failures = [var.prefix]
}

run "a_bucket_that_nobody_knows" {
  command = plan
  variables { deployment = { buckets = ["somewhere-else"] } }
  expect_failures = [var.deployment]
}

run "an_env_of_other_buckets" {
  command = plan
  variables { deployment = { env = { work = "weather-work" } } }
  expect_failures = [var.deployment]
}

run "a_schedule_that_does_not_parse" {
  command = plan
  variables { deployment = { schedules = [{ name = "s", cron = "0 25 * * *", time_zone = "Etc/UTC", pipeline = "p" }] } }
  expect_failures = [var.deployment]
}

run "a_schedule_of_six_fields" {
  command = plan
  variables { deployment = { schedules = [{ name = "s", cron = "0 0 6 * * *", time_zone = "Etc/UTC", pipeline = "p" }] } }
  expect_failures = [var.deployment]
}

run "schedules_that_people_write" {
  command = plan
  variables {
    deployment = { schedules = [
      for i, cron in ["*/5 * * * *", "0 6 * * mon-fri", "30 4 1,15 * *", "0 0-6/2 * JAN 7"] :
      { name = "s${i}", cron = cron, time_zone = "America/Argentina/Buenos_Aires", pipeline = "p" }
    ] }
  }
  assert {
    condition     = length(output.schedules) == 4
    error_message = jsonencode(output.schedules)
  }
}

run "a_time_zone_that_is_none" {
  command = plan
  variables { deployment = { schedules = [{ name = "s", cron = "0 6 * * *", time_zone = "+02:00", pipeline = "p" }] } }
  expect_failures = [var.deployment]
}

run "a_project_of_a_pipeline_that_is_not_prepared" {
  command = plan
  variables { deployment = { pipelines = { p = { projects = ["elsewhere"] } } } }
  expect_failures = [var.deployment]
}

run "a_region_of_a_pipeline_that_is_not_prepared" {
  command = plan
  variables { deployment = { pipelines = { p = { regions = ["us-east1"] } } } }
  expect_failures = [var.deployment]
}

run "a_deployment_of_a_newer_version" {
  command = plan
  variables { deployment = { version = 2 } }
  expect_failures = [var.deployment]
}

run "a_basic_role_for_jobs" {
  command = plan
  variables { job_roles = ["roles/editor"] }
  expect_failures = [var.job_roles]
}

run "the_public_as_starter" {
  command = plan
  variables { starters = ["allUsers"] }
  expect_failures = [var.starters]
}

run "the_public_as_commander" {
  command = plan
  variables { commanders = ["allAuthenticatedUsers"] }
  expect_failures = [var.commanders]
}

run "the_public_at_the_console" {
  command = plan
  variables { console = { enabled = true, members = ["allUsers"] } }
  expect_failures = [var.console]
}

run "a_function_without_a_dead_letter" {
  command = plan
  variables { functions = { on_timer = { queue = "timers", may = [] }, on_object = { topic = "object", may = ["state"] } } }
  expect_failures = [var.functions]
}

run "a_function_that_nothing_calls" {
  command = plan
  variables { functions = { on_timer = { queue = "timers", may = [] }, on_object = { may = ["state"] } } }
  expect_failures = [var.functions]
}

run "a_dead_letter_topic_that_is_not_there" {
  command = plan
  variables { functions = { on_timer = { queue = "timers", may = [] }, on_object = { topic = "object", dead_letter = "nowhere", may = [] } } }
  expect_failures = [var.functions]
}

run "work_that_is_not_ours" {
  command = plan
  variables { buckets = { work = { name = "somebodys", create = false } } }
  expect_failures = [var.buckets]
}

run "an_access_that_is_none" {
  command = plan
  variables { buckets = { landing = { jobs = "admin" } } }
  expect_failures = [var.buckets]
}

run "python_with_a_memory_that_is_none" {
  command = plan
  variables { python = { memory = "2 GB" } }
  expect_failures = [var.python]
}

run "a_topic_of_onwards_own" {
  command = plan
  variables { deployment = { topics = ["onward-wake"] } }
  expect_failures = [var.deployment]
}

run "a_topic_that_can_not_be" {
  command = plan
  variables { deployment = { topics = ["topics/orders"] } }
  expect_failures = [var.deployment]
}

run "a_projects_name_instead_of_its_id" {
  command = plan
  variables { project = "Acme Data" }
  expect_failures = [var.project]
}

run "a_projects_id_instead_of_its_number" {
  command = plan
  variables { project_number = "acme-data" }
  expect_failures = [var.project_number]
}

run "a_database_that_can_not_be" {
  command = plan
  variables { database = "On_ward" }
  expect_failures = [var.database]
}

run "a_multi_region_for_jobs" {
  command = plan
  variables { job_projects = { acme-jobs = { regions = ["EU"] } } }
  expect_failures = [var.job_projects]
}
