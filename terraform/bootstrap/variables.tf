variable "project" {
  description = "Id of the project for Onward itself."
  type        = string
}

variable "region" {
  description = "Where the buckets and images are."
  type        = string
}

variable "prefix" {
  description = "As in the main root."
  type        = string
  default     = "onward"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.prefix))
    error_message = "`prefix` must be at most 16 lower-case letters, digits and hyphens, as in the main root."
  }
}

variable "job_projects" {
  description = "Ids of more projects in which jobs run."
  type        = set(string)
  default     = []
}

variable "kms_key" {
  description = "As in the main root: a key of your own, or null."
  type        = string
  default     = null
}

variable "keep_state" {
  description = "Whether `terraform destroy` keeps the buckets that hold objects: Terraform's own state, archives and jobs' files."
  type        = bool
  default     = true
}
