variable "project" {
  description = "Where the topics are."
  type        = string
}

variable "project_number" {
  description = "Names Pub/Sub's own account."
  type        = string
}

variable "prefix" {
  description = "What the subscriptions' names begin with."
  type        = string
}

variable "topics" {
  description = "topology's `topics`."
  type        = map(string)
}

variable "routes" {
  description = "topology's `routes`: which topic is pushed to which function (which is told what it is called, if it `says` so), and where what it can't take goes."
  type        = map(object({ topic = string, function = string, dead_letter = string, says = optional(string) }))
  validation {
    condition     = alltrue([for r in var.routes : contains(keys(var.topics), r.dead_letter)])
    error_message = "Every route needs a dead letter that is one of the topics."
  }
}

variable "endpoints" {
  description = "Where each function answers."
  type        = map(string)
}

variable "caller" {
  description = "The e-mail address of the account as which functions are called."
  type        = string
}

variable "kms_key" {
  description = "The key that messages are encrypted with; Google's own if null."
  type        = string
}

variable "grants" {
  description = "topology's `grants`; those on topics are made here."
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
