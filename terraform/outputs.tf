output "env" {
  description = "The values of {{ env.* }}: what `onward compile --env` must be given."
  value       = { for key, b in module.topology.buckets : key => b.name }
}

output "functions" {
  description = "Entry point → where it answers."
  value       = module.functions.endpoints
}

output "topics" {
  description = "Topics by what they are for: publish to `start` and `command`, subscribe to `announcements`."
  value       = module.messaging.topic_ids
}

output "dead_letters" {
  description = "The subscriptions that keep what could not be dealt with."
  value       = module.messaging.dead_letters
}

output "job_accounts" {
  description = "As whom jobs run, by project."
  value       = { for p, job in module.topology.job_projects : p => module.identities.emails[job.account] }
}

output "sinks" {
  description = "As whom the logs of the job projects publish, for egress rules of VPC Service Controls."
  value       = { for p, job in module.jobs : p => job.sink }
}

output "grants" {
  description = "Who may do what: every grant that there is, except those to Google's own agents."
  value       = module.topology.grants
}
