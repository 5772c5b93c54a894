output "alerts" {
  description = "The alerts' names."
  value       = concat([for a in google_monitoring_alert_policy.threshold : a.display_name], [google_monitoring_alert_policy.reads.display_name])
}
