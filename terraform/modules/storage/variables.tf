variable "project" {
  description = "Where the buckets are made."
  type        = string
}

variable "location" {
  description = "The buckets' region."
  type        = string
}

variable "buckets" {
  description = "topology's `buckets`."
  type        = map(object({ name = string, create = bool, project = string }))
}

variable "watched" {
  description = "Keys of the buckets whose new objects are told to `topic`."
  type        = set(string)
}

variable "topic" {
  description = "The full name of the topic of new objects."
  type        = string
}

variable "staging" {
  description = "The name of the bucket of what services put aside while a job runs."
  type        = string
}

variable "code" {
  description = "The name of the bucket of what is deployed. It is there already."
  type        = string
}

variable "kms_key" {
  description = "The key that new objects are encrypted with; Google's own if null."
  type        = string
}

variable "keep_state" {
  description = "Whether a bucket that holds objects is kept when all else is destroyed."
  type        = bool
}

variable "grants" {
  description = "topology's `grants`; those on buckets are made here."
  type = map(object({
    to        = string
    on        = string
    name      = string
    role      = string
    condition = optional(object({ title = string, expression = string }))
  }))
}

variable "members" {
  description = "identities' `members`."
  type        = map(string)
}
