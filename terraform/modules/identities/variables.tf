variable "accounts" {
  description = "topology's `accounts`."
  type        = map(object({ project = string, id = string, title = string }))
}

variable "roles" {
  description = "topology's `roles`."
  type        = map(object({ project = string, id = string, title = string, permissions = list(string) }))
}

variable "grants" {
  description = "topology's `grants`; those on projects, accounts, the repository and secrets are made here."
  type = map(object({
    to        = string
    on        = string
    name      = string
    role      = string
    condition = optional(object({ title = string, expression = string }))
  }))
}

variable "project" {
  description = "That of the secrets."
  type        = string
}
