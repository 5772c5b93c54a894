variable "home" {
  description = "Onward's own project."
  type        = string
}

variable "project" {
  description = "Where the jobs run."
  type        = string
}

variable "regions" {
  description = "Where in the project jobs run."
  type        = list(string)
}

variable "prefix" {
  description = "What names begin with."
  type        = string
}

variable "completions" {
  description = "topology's `completions`: the filter of entries that say that a job has ended."
  type        = string
}

variable "topic" {
  description = "The full name of the topic of ended jobs."
  type        = string
}

variable "function" {
  description = "The service of `on_job_event`, and its region."
  type        = object({ name = string, region = string })
}

variable "caller" {
  description = "The e-mail address of the account as which functions are called."
  type        = string
}

variable "account" {
  description = "The e-mail address of the account as which Workflows run here."
  type        = string
}

variable "definitions" {
  description = "Definitions of Cloud Workflows: id → source."
  type        = map(string)
}

variable "kms_key" {
  description = "The key that definitions are encrypted with; Google's own if null."
  type        = string
}

variable "autoscaling_policies" {
  description = "Dataproc's, by the names that `clusters` in the pipelines give."
  type = map(object({
    min_workers           = optional(number, 2)
    max_workers           = number
    max_secondary_workers = optional(number, 0)
    scale_up              = optional(number, 1.0)
    scale_down            = optional(number, 1.0)
    graceful              = optional(string, "600s")
    cooldown              = optional(string, "120s")
  }))
  validation {
    condition     = alltrue([for p in var.autoscaling_policies : p.min_workers >= 2 && p.max_workers >= p.min_workers])
    error_message = "An autoscaling policy needs at least 2 `min_workers`, and no fewer `max_workers`."
  }
  validation {
    condition     = alltrue([for p in var.autoscaling_policies : min(p.scale_up, p.scale_down) >= 0 && max(p.scale_up, p.scale_down) <= 1])
    error_message = "`scale_up` and `scale_down` of an autoscaling policy must be between 0 and 1."
  }
}
