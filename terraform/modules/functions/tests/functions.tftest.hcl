mock_provider "google" {}

variables {
  project = "acme"
  region  = "europe-west1"
  functions = {
    on_object = { name = "onward-on-object", people = false, memory = "512Mi", cpu = "1", timeout = 120, concurrency = 8, max_instances = 20 }
    console   = { name = "onward-console", people = true, memory = "512Mi", cpu = "1", timeout = 120, concurrency = 8, max_instances = 3 }
  }
  environment = { ONWARD_PROJECT = "acme" }
  archive     = { bucket = "acme-code", object = "archives/functions-0123456789ab.zip" }
  repository  = "projects/acme/locations/europe-west1/repositories/onward"
  kms_key     = null
  emails      = { on_object = "o@acme.iam.gserviceaccount.com", console = "c@acme.iam.gserviceaccount.com", build = "b@acme.iam.gserviceaccount.com" }
  members     = { push = "serviceAccount:push@acme.iam.gserviceaccount.com" }
  grants      = { a = { to = "push", on = "function", name = "on_object", role = "roles/run.invoker" } }
}

run "only_the_console_can_be_reached_from_outside" {
  command = plan
  assert {
    condition     = { for k, f in google_cloudfunctions2_function.this : k => f.service_config[0].ingress_settings } == { on_object = "ALLOW_INTERNAL_ONLY", console = "ALLOW_ALL" }
    error_message = "a function can be reached from outside, or the console can't"
  }
}

run "each_runs_as_itself_and_is_built_as_build" {
  command = plan
  assert {
    condition     = google_cloudfunctions2_function.this["on_object"].service_config[0].service_account_email == "o@acme.iam.gserviceaccount.com"
    error_message = "not its own account"
  }
  assert {
    condition     = google_cloudfunctions2_function.this["on_object"].build_config[0].service_account == "projects/acme/serviceAccounts/b@acme.iam.gserviceaccount.com"
    error_message = "not the account of builds"
  }
}

run "nothing_runs_while_nothing_happens" {
  command = plan
  assert {
    condition     = alltrue([for f in google_cloudfunctions2_function.this : f.service_config[0].min_instance_count == 0])
    error_message = "an idle function costs money"
  }
}
