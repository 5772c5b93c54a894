variable "project" {
  description = "Where the functions are."
  type        = string
}

variable "region" {
  description = "Where the functions are."
  type        = string
}

variable "functions" {
  description = "topology's `functions`, by entry point."
  type = map(object({
    name          = string
    people        = bool
    memory        = string
    cpu           = string
    timeout       = number
    concurrency   = number
    max_instances = number
  }))
}

variable "environment" {
  description = "What `onward.settings` reads."
  type        = map(string)
}

variable "archive" {
  description = "The source: bucket and object."
  type        = object({ bucket = string, object = string })
}

variable "repository" {
  description = "The full name of the repository for the functions' images."
  type        = string
}

variable "kms_key" {
  description = "The key for source and images; Google's own if null."
  type        = string
}

variable "emails" {
  description = "identities' `emails`: each function runs as its own account, and is built as `build`."
  type        = map(string)
}

variable "members" {
  description = "identities' `members`."
  type        = map(string)
}

variable "grants" {
  description = "topology's `grants`; those on functions are made here."
  type = map(object({
    to   = string
    on   = string
    name = string
    role = string
  }))
}
