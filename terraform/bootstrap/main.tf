# What must be there before the first deploy: APIs, Terraform's state, a place for code and images, and who deploys.

locals {
  job_services = toset(["compute", "dataflow", "dataproc", "iam", "logging", "storage", "workflowexecutions", "workflows"])
  services = setunion(local.job_services, [
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "cloudtasks", "eventarc",
    "firestore", "monitoring", "pubsub", "run", "secretmanager",
  ])
  enabled = merge(
    { for s in local.services : "${var.project} ${s}" => { project = var.project, service = s } },
    merge([for p in var.job_projects : { for s in local.job_services : "${p} ${s}" => { project = p, service = s } }]...),
  )

  job_roles = toset([
    "roles/dataproc.editor", "roles/iam.roleAdmin", "roles/iam.serviceAccountAdmin", "roles/iam.serviceAccountUser",
    "roles/logging.configWriter", "roles/resourcemanager.projectIamAdmin", "roles/workflows.editor",
  ])
  roles = setunion(local.job_roles, [
    "roles/artifactregistry.admin", "roles/cloudbuild.builds.builder", "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin", "roles/cloudtasks.admin", "roles/datastore.owner", "roles/eventarc.admin",
    "roles/monitoring.editor", "roles/pubsub.admin", "roles/run.admin", "roles/secretmanager.admin", "roles/storage.admin",
  ])
  deployer_roles = merge(
    { for r in local.roles : "${var.project} ${r}" => { project = var.project, role = r } },
    merge([for p in var.job_projects : { for r in local.job_roles : "${p} ${r}" => { project = p, role = r } }]...),
  )

  buckets = {
    state = "${var.project}-${var.prefix}-terraform"
    code  = "${var.project}-${var.prefix}-code"
  }
}

resource "google_project_service" "this" {
  for_each           = local.enabled
  project            = each.value.project
  service            = "${each.value.service}.googleapis.com"
  disable_on_destroy = false
}

# A key of one's own must be open to Google's own accounts before they keep anything, and for as long as the state is kept.
data "google_project" "this" {
  project_id = var.project
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = toset(var.kms_key == null ? [] : ["gcp-sa-artifactregistry", "gs-project-accounts"])
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.this.number}@${each.key}.iam.gserviceaccount.com"
  depends_on    = [google_project_service.this]
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62: who reads and writes is in the audit log; access logs cost more than they say
  for_each                    = local.buckets
  name                        = each.value
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.keep_state
  versioning { enabled = true }
  lifecycle_rule {
    action { type = "Delete" }
    condition {
      num_newer_versions         = 20
      days_since_noncurrent_time = 90
    }
  }
  dynamic "encryption" {
    for_each = var.kms_key[*]
    content { default_kms_key_name = encryption.value }
  }
  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}

resource "google_artifact_registry_repository" "this" {
  #checkov:skip=CKV_GCP_84: a key of one's own is `kms_key`; without it Google's encrypts
  location      = var.region
  repository_id = var.prefix
  format        = "DOCKER"
  description   = "Images of Onward's functions and Flex Templates"
  kms_key_name  = var.kms_key
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions { keep_count = 20 }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition { older_than = "7776000s" }
  }
  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}

resource "google_service_account" "deployer" {
  account_id   = "${var.prefix}-deployer"
  display_name = "Applies Onward's Terraform, in Cloud Build"
  depends_on   = [google_project_service.this]
}

resource "google_project_iam_member" "deployer" {
  #checkov:skip=CKV_GCP_42: whoever deploys makes the accounts, and says what they may do
  #checkov:skip=CKV_GCP_49: a deploy makes functions that run as these accounts
  for_each = local.deployer_roles
  project  = each.value.project
  role     = each.value.role
  member   = google_service_account.deployer.member
}
