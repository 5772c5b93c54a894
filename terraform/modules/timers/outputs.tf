output "queues" {
  description = "key → the queue's name."
  value       = { for key, q in google_cloud_tasks_queue.this : key => q.name }
}
