variable "project" {
  description = "Onward's own project."
  type        = string
}

variable "prefix" {
  description = "What names begin with."
  type        = string
}

variable "dead_letters" {
  description = "Subscriptions that keep what could not be dealt with."
  type        = list(string)
}

variable "submitters" {
  description = "Unique ids of the accounts that submit jobs and read their status."
  type        = list(string)
}

variable "emails" {
  description = "Whom alerts are sent to."
  type        = set(string)
}
