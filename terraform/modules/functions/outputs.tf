output "endpoints" {
  description = "Entry point → where it answers."
  value       = { for key, f in google_cloudfunctions2_function.this : key => f.service_config[0].uri }
}

output "names" {
  description = "Entry point → the name of its service."
  value       = { for key, f in google_cloudfunctions2_function.this : key => f.name }
}
