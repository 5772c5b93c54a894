# The functions, all from one archive, and who may call them.

resource "google_cloudfunctions2_function" "this" {
  #checkov:skip=CKV_GCP_124: only the console takes requests from outside, and only from people named
  for_each     = var.functions
  project      = var.project
  location     = var.region
  name         = each.value.name
  description  = "Onward: ${each.key}"
  kms_key_name = var.kms_key

  build_config {
    runtime           = "python311"
    entry_point       = each.key
    service_account   = "projects/${var.project}/serviceAccounts/${var.emails["build"]}"
    docker_repository = var.repository
    # The buildpack reads it when it builds; as a variable of the service it would come too late.
    environment_variables = { GOOGLE_FUNCTION_SOURCE = "functions/main.py" }
    source {
      storage_source {
        bucket = var.archive.bucket
        object = var.archive.object
      }
    }
  }

  service_config {
    service_account_email            = var.emails[each.key]
    environment_variables            = var.environment
    available_cpu                    = each.value.cpu
    available_memory                 = each.value.memory
    timeout_seconds                  = each.value.timeout
    max_instance_request_concurrency = each.value.concurrency
    max_instance_count               = each.value.max_instances
    min_instance_count               = 0
    # Pub/Sub, Cloud Tasks, Cloud Scheduler and Eventarc of the same project count as internal; people do not.
    ingress_settings               = each.value.people ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true
  }
}

# A function's service has the function's name. Nobody else may call it.
resource "google_cloud_run_v2_service_iam_member" "this" {
  for_each = { for key, g in var.grants : key => g if g.on == "function" }
  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.this[each.value.name].name
  role     = each.value.role
  member   = lookup(var.members, each.value.to, each.value.to)
}
