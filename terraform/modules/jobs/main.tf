# A project in which jobs run: how it says that they have ended, and what they use there.

# Dataproc, Workflows and, as a second bell, Dataflow: through the log.
resource "google_logging_project_sink" "completions" {
  project                = var.project
  name                   = "${var.prefix}-completions"
  description            = "Onward: a job has ended"
  destination            = "pubsub.googleapis.com/${var.topic}"
  filter                 = var.completions
  unique_writer_identity = true
}

resource "google_pubsub_topic_iam_member" "sink" {
  topic  = var.topic
  role   = "roles/pubsub.publisher"
  member = google_logging_project_sink.completions.writer_identity
}

# Dataflow's own event. A trigger can only call a function of its own project.
resource "google_eventarc_trigger" "dataflow" {
  for_each        = var.project == var.home ? toset(var.regions) : []
  project         = var.project
  location        = each.key
  name            = "${var.prefix}-dataflow"
  service_account = var.caller

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.dataflow.job.v1beta3.statusChanged"
  }
  destination {
    cloud_run_service {
      service = var.function.name
      region  = var.function.region
    }
  }
}

resource "google_workflows_workflow" "this" {
  for_each = { for pair in setproduct(keys(var.definitions), var.regions) : "${pair[0]} ${pair[1]}" => { id = pair[0], region = pair[1] } }
  project  = var.project
  region   = each.value.region
  name     = "${var.prefix}-${trimprefix(each.value.id, "onward-")}"
  # Named by their content: never changed, only added, and removed once no deploy that is kept names them.
  source_contents     = var.definitions[each.value.id]
  service_account     = "projects/${var.project}/serviceAccounts/${var.account}"
  call_log_level      = "LOG_ERRORS_ONLY"
  crypto_key_name     = var.kms_key
  deletion_protection = false
}

resource "google_dataproc_autoscaling_policy" "this" {
  for_each  = { for pair in setproduct(keys(var.autoscaling_policies), var.regions) : "${pair[0]} ${pair[1]}" => { id = pair[0], region = pair[1] } }
  project   = var.project
  location  = each.value.region
  policy_id = each.value.id

  worker_config {
    min_instances = var.autoscaling_policies[each.value.id].min_workers
    max_instances = var.autoscaling_policies[each.value.id].max_workers
  }
  secondary_worker_config {
    max_instances = var.autoscaling_policies[each.value.id].max_secondary_workers
  }
  basic_algorithm {
    cooldown_period = var.autoscaling_policies[each.value.id].cooldown
    yarn_config {
      scale_up_factor               = var.autoscaling_policies[each.value.id].scale_up
      scale_down_factor             = var.autoscaling_policies[each.value.id].scale_down
      graceful_decommission_timeout = var.autoscaling_policies[each.value.id].graceful
    }
  }
}
