output "names" {
  description = "key → the bucket's name."
  value       = { for key, name in local.names : key => try(google_storage_bucket.this[key].name, name) }
}

output "notified" {
  description = "The names of the buckets whose new objects are told."
  value       = [for n in google_storage_notification.this : n.bucket]
}
