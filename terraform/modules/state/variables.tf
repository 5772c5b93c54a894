variable "project" {
  description = "Where the database is."
  type        = string
}

variable "name" {
  description = "The database's name. It can't be changed later."
  type        = string
}

variable "location" {
  description = "A region or a multi-region such as eur3. It can't be changed later."
  type        = string
  validation {
    condition     = can(regex("^(nam[0-9]+|eur[0-9]+|[a-z]+-[a-z]+[0-9]+)$", var.location))
    error_message = "Firestore's location must be a region such as europe-west1, or a multi-region: eur3 or nam5."
  }
}

variable "kms_key" {
  description = "The key that documents are encrypted with; Google's own if null. It can't be changed later."
  type        = string
}

variable "keep_state" {
  description = "Whether the database is kept when all else is destroyed."
  type        = bool
}
