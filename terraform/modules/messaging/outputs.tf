output "topic_ids" {
  description = "key → the topic's full name."
  value       = local.topic_ids
}

output "subscriptions" {
  description = "route → the subscription's name."
  value       = { for key, s in google_pubsub_subscription.push : key => s.name }
}

output "dead_letters" {
  description = "The names of the subscriptions that keep what could not be dealt with."
  value       = [for s in google_pubsub_subscription.dead_letter : s.name]
}
