variable "project" {
  description = "Id of the project that holds Onward itself: its state, topics and functions."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "`project` must be a project id such as my-project, not a name or a number."
  }
}

variable "project_number" {
  description = "The project's number: a part of the address of its functions and of Google's own accounts."
  type        = string
  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "`project_number` must be digits only."
  }
}

variable "region" {
  description = "Where the functions and queues are, and jobs by default."
  type        = string
  validation {
    condition     = can(regex(local.region, var.region))
    error_message = "`region` must be a region such as europe-west1: not a zone, not a multi-region."
  }
}

variable "prefix" {
  description = "What the name of everything begins with."
  type        = string
  default     = "onward"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.prefix)) && !startswith(var.prefix, "goog")
    error_message = "`prefix` must be lower-case letters, digits and hyphens, begin with a letter and not with goog."
  }
  validation {
    condition     = length(var.prefix) <= 16
    error_message = "`prefix` must have at most 16 characters: with it, names of service accounts may have 30. Shorten it."
  }
}

variable "database" {
  description = "Firestore's database."
  type        = string
  default     = "(default)"
  validation {
    condition     = can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.database))
    error_message = "`database` must be (default), or 4 to 63 lower-case letters, digits and hyphens."
  }
}

variable "code_bucket" {
  description = "The bucket of the archive and of what was deployed for jobs."
  type        = string
}

variable "buckets" {
  description = <<-EOT
    Buckets of the pipelines, by the names that they have in `env`. `name` is PROJECT-PREFIX-KEY by default;
    `create = false` for one that exists, `project` if it is another. `jobs` and `python` say what jobs and Python steps may do there.
    `work` is always there; Onward keeps objects of its own under `onward/` in it.
  EOT
  type = map(object({
    name    = optional(string)
    project = optional(string)
    create  = optional(bool, true)
    jobs    = optional(string, "write")
    python  = optional(string, "none")
  }))
  default = {}
  validation {
    condition     = alltrue(flatten([for b in var.buckets : [for use in [b.jobs, b.python] : contains(["none", "read", "write"], use)]]))
    error_message = "`jobs` and `python` of a bucket must be none, read or write."
  }
  validation {
    condition     = try(var.buckets["work"].create, true)
    error_message = "The bucket `work` must be Onward's own: leave out `create`."
  }
}

variable "job_projects" {
  description = "Projects in which jobs run, with their regions. `project` and `region` always belong to them."
  type        = map(object({ regions = list(string) }))
  default     = {}
  validation {
    condition     = alltrue(flatten([for p in var.job_projects : [for r in p.regions : can(regex(local.region, r))]]))
    error_message = "The `regions` of `job_projects` must be regions such as europe-west1."
  }
}

variable "job_roles" {
  description = "Project roles for the jobs' accounts beside those that the services ask for, such as roles/bigquery.dataEditor."
  type        = set(string)
  default     = []
  validation {
    condition     = length(setintersection(var.job_roles, local.basic_roles)) == 0
    error_message = "`job_roles` must not hold a basic role (roles/owner, editor, viewer, browser): name the roles that the jobs need."
  }
}

variable "python" {
  description = "Python steps: how many `calls` may run at once, and the `memory` and `cpu` of each."
  type = object({
    calls  = optional(number, 20)
    memory = optional(string, "2Gi")
    cpu    = optional(string, "1")
  })
  default = {}
  validation {
    condition     = var.python.calls >= 1 && var.python.calls <= 1000 && can(regex("^[1-9][0-9]*(Mi|Gi)$", var.python.memory)) && contains(["1", "2", "4", "8"], var.python.cpu)
    error_message = "`python` must be such as { calls = 20, memory = \"2Gi\", cpu = \"1\" }: at most 1000 calls; 1, 2, 4 or 8 CPUs."
  }
}

variable "pyspark_bell" {
  description = "Whether PySpark jobs ring themselves when they have ended. One more status read a job; no wait for a log entry."
  type        = bool
  default     = true
}

variable "secrets" {
  description = "Ids of secrets of `project` that jobs may read. Onward itself reads none."
  type        = set(string)
  default     = []
}

variable "starters" {
  description = "Who may publish messages that start runs."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for m in var.starters : can(regex(local.principal, m))])
    error_message = "`starters` must be principals such as group:data@example.com; nothing is ever public."
  }
}

variable "commanders" {
  description = "Who may publish commands: cancel and retry."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for m in var.commanders : can(regex(local.principal, m))])
    error_message = "`commanders` must be principals such as group:data@example.com; nothing is ever public."
  }
}

variable "console" {
  description = "The web page: who may open it, and whether it may also start, cancel and retry runs."
  type = object({
    enabled = optional(bool, false)
    actions = optional(bool, false)
    members = optional(set(string), [])
  })
  default = {}
  validation {
    condition     = alltrue([for m in var.console.members : can(regex(local.principal, m))])
    error_message = "`console.members` must be principals such as group:data@example.com; nothing is ever public."
  }
}

variable "deployment" {
  description = "What `onward compile` found in the pipelines (deployment.json)."
  type = object({
    version   = optional(number, 1)
    env       = optional(map(string), {})
    buckets   = optional(list(string), [])
    topics    = optional(list(string), [])
    schedules = optional(list(object({ name = string, cron = string, time_zone = string, pipeline = string })), [])
    pipelines = optional(map(object({
      projects         = optional(list(string), [])
      regions          = optional(list(string), [])
      service_accounts = optional(list(string), [])
    })), {})
  })
  default = {}
  validation {
    condition     = var.deployment.version == 1
    error_message = "deployment.json is of version ${var.deployment.version}, but this Terraform reads version 1: deploy both from one commit."
  }
  validation {
    condition     = alltrue([for b in var.deployment.buckets : contains(local.bucket_names, b)])
    error_message = "A pipeline watches ${join(", ", setsubtract(var.deployment.buckets, local.bucket_names))}, but the buckets are ${join(", ", local.bucket_names)}: add it to `buckets`, or mend the pipeline or its env."
  }
  validation {
    condition     = alltrue([for k, v in var.deployment.env : v == try(local.buckets[k].name, v)])
    error_message = "The pipelines were compiled with an env of other buckets: ${join(", ", [for k, v in var.deployment.env : "${k} is ${local.buckets[k].name}, not ${v}" if v != try(local.buckets[k].name, v)])}. Compile again with these values, or give `buckets` these names."
  }
  validation {
    condition     = alltrue([for t in var.deployment.topics : can(regex("^(projects/[^/]+/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", t)) && !contains(local.own_names, t)])
    error_message = "A pipeline's topic must be a name such as orders, or projects/PROJECT/topics/NAME, and none of Onward's own: ${join(", ", var.deployment.topics)}."
  }
  validation {
    condition     = alltrue([for s in var.deployment.schedules : can(regex(local.cron, lower(s.cron)))])
    error_message = "A schedule does not parse: ${join(", ", [for s in var.deployment.schedules : "${s.name} (${s.cron})" if !can(regex(local.cron, lower(s.cron)))])}. Write five fields such as 0 6 * * mon-fri."
  }
  validation {
    condition     = alltrue([for s in var.deployment.schedules : can(regex("^[A-Za-z]+([/_+-][A-Za-z0-9]+)*$", s.time_zone))])
    error_message = "The time zone of a schedule must be a name such as Europe/Berlin or Etc/UTC."
  }
  validation {
    condition     = alltrue([for p in var.deployment.pipelines : alltrue([for each in p.projects : contains(keys(local.job_projects), each)])])
    error_message = "A pipeline runs jobs in ${join(", ", setsubtract(flatten(values(var.deployment.pipelines)[*].projects), keys(local.job_projects)))}: add the project to `job_projects`."
  }
  validation {
    condition     = alltrue([for p in var.deployment.pipelines : alltrue([for each in p.regions : contains(local.job_regions, each)])])
    error_message = "A pipeline runs jobs in ${join(", ", setsubtract(flatten(values(var.deployment.pipelines)[*].regions), local.job_regions))}: add the region to its project in `job_projects`."
  }
}

variable "functions" {
  description = <<-EOT
    The entry points. Each is called through a `topic`, whose undeliverable messages go to the topic
    `dead_letter`; through a `queue`, which never gives up; or by `people`. `may` are its capabilities.
  EOT
  type = map(object({
    topic         = optional(string)
    dead_letter   = optional(string)
    queue         = optional(string)
    people        = optional(bool, false)
    may           = list(string)
    memory        = optional(string, "512Mi")
    cpu           = optional(string, "1")
    timeout       = optional(number, 120)
    concurrency   = optional(number, 8)
    max_instances = optional(number, 20)
  }))
  default = {
    on_object    = { topic = "object", dead_letter = "dead-letter", may = ["state", "tell"] }
    on_message   = { topic = "start", dead_letter = "dead-letter", may = ["state", "tell"] }
    on_command   = { topic = "command", dead_letter = "dead-letter", may = ["state", "tell"] }
    on_wake      = { topic = "wake", dead_letter = "dead-letter", may = ["state", "tell", "objects", "jobs"], max_instances = 50 }
    on_job_event = { topic = "completions", dead_letter = "dead-letter", may = ["state", "tell", "objects", "jobs"] }
    on_timer     = { queue = "timers", may = ["state", "tell", "objects", "jobs"] }
    run_python   = { queue = "python", may = ["report"], timeout = 1800, concurrency = 1 }
    console      = { people = true, may = ["look"], max_instances = 3 }
  }
  validation {
    condition     = alltrue([for f in var.functions : length(compact([f.topic, f.queue, f.people ? "people" : ""])) == 1])
    error_message = "A function must be called in exactly one way: through a topic, through a queue, or by people."
  }
  validation {
    condition     = alltrue([for f in var.functions : f.topic == null || f.dead_letter != null])
    error_message = "A function without a dead letter loses what it can't deal with: ${join(", ", [for k, f in var.functions : k if f.topic != null && f.dead_letter == null])} needs `dead_letter`."
  }
  validation {
    condition     = alltrue(flatten([for f in var.functions : [for t in compact([f.topic, f.dead_letter]) : contains(local.own_topics, t)]]))
    error_message = "A function's `topic` and `dead_letter` must be one of ${join(", ", local.own_topics)}."
  }
}
