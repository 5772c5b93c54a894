# What can't be changed later is asked first, and has no default.

variable "firestore_location" {
  description = "Where Firestore keeps the state: a region, or eur3 or nam5. **Can't be changed later.**"
  type        = string
}

variable "database" {
  description = "Firestore's database, such as (default). **Can't be changed later.**"
  type        = string
}

variable "kms_key" {
  description = "A key of your own for everything that is kept (projects/…/cryptoKeys/…), or null for Google's. **Can't be changed later.**"
  type        = string
  nullable    = true
  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "`kms_key` must be null or a key's full name: projects/…/locations/…/keyRings/…/cryptoKeys/…, without a version."
  }
  validation {
    condition     = var.kms_key == null || alltrue([for place in [var.region, var.firestore_location] : place == try(split("/", var.kms_key)[3], "")])
    error_message = "A key serves one place: `kms_key`, `region` and `firestore_location` must be in the same region."
  }
}

# Which project, and what is deployed.

variable "project" {
  description = "Id of the project for Onward itself: its state, topics and functions."
  type        = string
}

variable "region" {
  description = "Where the functions, buckets and queues are, and jobs by default."
  type        = string
}

variable "archive" {
  description = "The functions' archive, named by its content: gs://BUCKET/….zip. Jobs' files are in the same bucket."
  type        = string
  validation {
    condition     = can(regex("^gs://[a-z0-9][a-z0-9._-]*[a-z0-9]/(.*[^0-9a-f])?[0-9a-f]{12,64}\\.zip$", var.archive))
    error_message = "`archive` must be an object named by its hash, such as gs://my-project-onward-code/archives/functions-0123456789abcdef.zip: else a new one would not be noticed. `make upload` names it so."
  }
}

variable "deployment" {
  description = "Path of the deployment.json that `onward compile` wrote."
  type        = string
  default     = "../build/deployment.json"
  validation {
    condition     = fileexists(var.deployment)
    error_message = "There is no ${var.deployment}: run `onward compile workflows -o build` first, or say where it is."
  }
}

variable "prefix" {
  description = "What the name of everything begins with: another one is another environment."
  type        = string
  default     = "onward"
}

# What the pipelines use. The types and rules are those of modules/topology.

variable "buckets" {
  description = "Buckets of the pipelines, by their names in `env`: {name, project, create, jobs, python}."
  type        = any
  default     = { landing = {}, reports = {} }
}

variable "job_projects" {
  description = "More projects and regions in which jobs run: {PROJECT = {regions = [...]}}."
  type        = any
  default     = {}
}

variable "job_roles" {
  description = "Project roles for the jobs' accounts beside what the services need."
  type        = set(string)
  default     = []
}

variable "job_network" {
  description = "The network or the subnetwork of jobs; the service's default if empty."
  type        = object({ network = optional(string, ""), subnetwork = optional(string, "") })
  default     = {}
}

variable "autoscaling_policies" {
  description = "Dataproc's autoscaling policies, by the names that `clusters` in the pipelines give."
  type        = any
  default     = {}
}

variable "pyspark_bell" {
  description = "Whether PySpark jobs ring themselves when they have ended. One more status read a job; no wait for a log entry."
  type        = bool
  default     = true
}

variable "secrets" {
  description = "Ids of secrets that jobs may read. Onward itself passes references only."
  type        = set(string)
  default     = []
}

variable "python" {
  description = "Python steps: how many `calls` may run at once, and the `memory` and `cpu` of each."
  type        = any
  default     = {}
}

# Who may do what, and who is told.

variable "starters" {
  description = "Who may publish messages that start runs, such as group:data@example.com."
  type        = set(string)
  default     = []
}

variable "commanders" {
  description = "Who may cancel and retry runs."
  type        = set(string)
  default     = []
}

variable "console" {
  description = "The web page: {enabled, actions, members}. It only reads unless its actions are switched on."
  type        = any
  default     = {}
}

variable "alert_emails" {
  description = "Whom alerts are sent to."
  type        = set(string)
  default     = []
}

variable "labels" {
  description = "For billing: on everything, and on every job, cluster and bucket."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for k, v in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", k)) && can(regex("^[a-z0-9_-]{0,63}$", v))])
    error_message = "`labels` must be such as { team = \"data\" }: lower-case letters, digits, _ and -, at most 63."
  }
}

variable "keep_state" {
  description = "Whether `terraform destroy` refuses to drop the state and buckets that hold objects. Apply with false before you destroy."
  type        = bool
  default     = true
}
