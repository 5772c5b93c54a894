output "members" {
  description = "key → member; what else is granted to them can be once this is there."
  value       = local.members
  depends_on  = [google_project_iam_custom_role.this]
}

output "emails" {
  description = "key → e-mail address."
  value       = { for key, account in google_service_account.this : key => account.email }
}

output "unique_ids" {
  description = "key → unique id, under which Cloud Monitoring knows an account."
  value       = { for key, account in google_service_account.this : key => account.unique_id }
}
