output "state_bucket" {
  description = "For `terraform init -backend-config=bucket=…` of the main root."
  value       = google_storage_bucket.this["state"].name
}

output "code_bucket" {
  description = "Where archives, jobs' files and template specs are uploaded."
  value       = google_storage_bucket.this["code"].name
}

output "images" {
  description = "What the name of an image begins with."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this.repository_id}"
}

output "deployer" {
  description = "The account for Cloud Build."
  value       = google_service_account.deployer.email
}
