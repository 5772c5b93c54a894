output "sink" {
  description = "The identity that the sink publishes as."
  value       = google_logging_project_sink.completions.writer_identity
}
