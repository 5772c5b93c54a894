variable "project" {
  description = "Where the queues are."
  type        = string
}

variable "region" {
  description = "Where the queues are."
  type        = string
}

variable "prefix" {
  description = "What the schedules' names begin with."
  type        = string
}

variable "queues" {
  description = "topology's `queues`."
  type        = map(object({ name = string, concurrent = number, min_backoff = string }))
}

variable "schedules" {
  description = "topology's `schedules`."
  type        = map(object({ cron = string, time_zone = string, pipeline = string }))
}

variable "url" {
  description = "Where `on_timer` answers."
  type        = string
}

variable "caller" {
  description = "The e-mail address of the account as which functions are called."
  type        = string
}

variable "grants" {
  description = "topology's `grants`; those on queues are made here."
  type = map(object({
    to   = string
    on   = string
    name = string
    role = string
  }))
}

variable "members" {
  description = "identities' `members`."
  type        = map(string)
}
