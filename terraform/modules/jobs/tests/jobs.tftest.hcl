mock_provider "google" {
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:sink@acme.iam.gserviceaccount.com" }
  }
}

variables {
  home                 = "acme"
  project              = "acme"
  regions              = ["europe-west1", "us-central1"]
  prefix               = "onward"
  completions          = "operation.last=true"
  topic                = "projects/acme/topics/onward-completions"
  function             = { name = "onward-on-job-event", region = "europe-west1" }
  caller               = "push@acme.iam.gserviceaccount.com"
  account              = "jobs@acme.iam.gserviceaccount.com"
  definitions          = { onward-1 = "main: {steps: []}" }
  kms_key              = null
  autoscaling_policies = { etl = { max_workers = 5 } }
}

run "at_home_dataflow_rings_in_every_region" {
  assert {
    condition     = [for t in google_eventarc_trigger.dataflow : t.location] == ["europe-west1", "us-central1"]
    error_message = "a region without the event of Dataflow"
  }
}

run "elsewhere_the_log_rings_alone" {
  variables { project = "acme-jobs" }
  assert {
    condition     = length(google_eventarc_trigger.dataflow) == 0 && google_logging_project_sink.completions.project == "acme-jobs"
    error_message = "a trigger can't call a function of another project"
  }
}

run "the_sink_may_publish" {
  assert {
    condition     = google_pubsub_topic_iam_member.sink.member == google_logging_project_sink.completions.writer_identity
    error_message = "the sink's identity may not publish"
  }
}

run "definitions_and_policies_are_in_every_region" {
  assert {
    condition     = [for w in google_workflows_workflow.this : w.region] == ["europe-west1", "us-central1"] && [for p in google_dataproc_autoscaling_policy.this : p.location] == ["europe-west1", "us-central1"]
    error_message = "a region without definition or policy"
  }
}

run "each_deployment_in_a_project_has_definitions_of_its_own" {
  variables { prefix = "test" }
  assert {
    condition     = [for w in google_workflows_workflow.this : w.name] == ["test-1", "test-1"]
    error_message = "two deployments would make the same definition"
  }
}

run "a_policy_that_can_not_be" {
  command = plan
  variables { autoscaling_policies = { etl = { min_workers = 9, max_workers = 5 } } }
  expect_failures = [var.autoscaling_policies]
}

run "a_factor_that_is_none" {
  command = plan
  variables { autoscaling_policies = { etl = { max_workers = 5, scale_up = 2 } } }
  expect_failures = [var.autoscaling_policies]
}
