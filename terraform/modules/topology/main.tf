# What there is, what it is called, and who may do what. Nothing here makes anything.

locals {
  region      = "^(africa|asia|australia|europe|me|northamerica|southamerica|us)-(central|(north|south)?(east|west)|north|south)[0-9]+$"
  principal   = "^(user|group|serviceAccount|domain|principal|principalSet):[^\\s]+$"
  basic_roles = ["roles/owner", "roles/editor", "roles/viewer", "roles/browser"]

  cron_units = [
    "[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])",
    "(0?[1-9]|1[0-2]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", "([0-7]|sun|mon|tue|wed|thu|fri|sat)",
  ]
  cron_terms = [for unit in local.cron_units : "(\\*|${unit}(-${unit})?)(/[1-9][0-9]?)?"]
  cron       = "^${join(" +", [for term in local.cron_terms : "${term}(,${term})*"])}$"
}

# Places and things -------------------------------------------------------

locals {
  buckets = {
    for key, b in merge({ work = { name = null, project = null, create = true, jobs = "write", python = "none" } }, var.buckets) :
    key => merge(b, {
      name    = coalesce(b.name, "${var.project}-${var.prefix}-${key}")
      project = coalesce(b.project, var.project)
    })
  }
  bucket_names = values(local.buckets)[*].name
  work         = local.buckets["work"].name
  staging      = "${var.project}-${var.prefix}-staging"

  job_projects = {
    for p in distinct(concat([var.project], keys(var.job_projects))) : p => {
      regions = distinct(concat(p == var.project ? [var.region] : [], try(var.job_projects[p].regions, [])))
      account = "jobs@${p}"
      role    = "projects/${p}/roles/${local.role_prefix}_jobs"
    }
  }
  job_regions = distinct(flatten(values(local.job_projects)[*].regions))
  foreign_accounts = toset([
    for email in flatten(values(var.deployment.pipelines)[*].service_accounts) : email
    if !contains([for a in local.accounts : a.email], email)
  ])

  own_topics = ["object", "start", "command", "wake", "completions", "announcements", "dead-letter"]
  own_names  = [for t in local.own_topics : "${var.prefix}-${t}"]
  # By keys that none of our own has; one with a full name is another project's, and is only subscribed to.
  pipeline_topics = { for t in var.deployment.topics : "start-${replace(trimprefix(t, "projects/"), "//topics//", "-")}" => t }
  topics = merge(
    { for t in local.own_topics : t => "${var.prefix}-${t}" },
    { for key, t in local.pipeline_topics : key => t if !strcontains(t, "/") },
  )
  repository = "projects/${var.project}/locations/${var.region}/repositories/${var.prefix}"
  queues = {
    timers = { name = "${var.prefix}-timers", concurrent = 100, min_backoff = "1s" }
    python = { name = "${var.prefix}-python", concurrent = var.python.calls, min_backoff = "5s" }
  }

  # As many instances as calls, each of which makes one at a time: more would be refused, and tried again.
  sizes = { run_python = { memory = var.python.memory, cpu = var.python.cpu, max_instances = var.python.calls } }
  functions = {
    for key, f in var.functions : key => merge(f, try(local.sizes[key], {}), {
      name = "${var.prefix}-${replace(key, "_", "-")}"
      # Known before the function is: `on_timer` must be told its own.
      url = "https://${var.prefix}-${replace(key, "_", "-")}-${var.project_number}.${var.region}.run.app"
    }) if key != "console" || var.console.enabled
  }
}

# Routes: which topic or schedule leads to which function ------------------

locals {
  routes = merge(
    { for key, f in local.functions : f.topic => { topic = f.topic, function = key, dead_letter = f.dead_letter, says = null } if f.topic != null },
    { for key, t in local.pipeline_topics : key => { topic = strcontains(t, "/") ? t : key, function = "on_message", dead_letter = "dead-letter", says = t } },
  )
  watched = toset([for key, b in local.buckets : key if contains(var.deployment.buckets, b.name)])

  # What `onward.ingress.completions` understands: Dataproc, Cloud Workflows, Dataflow.
  completions = join("\nOR\n", [
    <<-EOT
    (log_id("cloudaudit.googleapis.com/activity") AND protoPayload.serviceName="dataproc.googleapis.com"
     AND protoPayload.methodName=~"^google[.]cloud[.]dataproc[.]v1[.](JobController[.]SubmitJob(AsOperation)?|BatchController[.]CreateBatch|WorkflowTemplateService[.]Instantiate(Inline)?WorkflowTemplate|ClusterController[.](Create|Delete)Cluster)$"
     AND operation.last=true)
    EOT
    , <<-EOT
    (log_id("workflows.googleapis.com/executions_system") AND jsonPayload.state=("SUCCEEDED" OR "FAILED" OR "CANCELLED"))
    EOT
    , <<-EOT
    (log_id("dataflow.googleapis.com/job-message") AND textPayload:("Worker pool stopped" OR "Template launch failed"))
    EOT
  ])
}

# Accounts ----------------------------------------------------------------

locals {
  role_prefix = replace(var.prefix, "-", "_")
  accounts = {
    for key, a in merge(
      { for key, f in local.functions : key => { project = var.project, id = f.name, title = "Onward's ${key}" } },
      {
        build = { project = var.project, id = "${var.prefix}-build", title = "Builds Onward's functions" }
        push  = { project = var.project, id = "${var.prefix}-push", title = "As whom Pub/Sub and Eventarc call Onward" }
        tasks = { project = var.project, id = "${var.prefix}-tasks", title = "As whom Cloud Tasks and Cloud Scheduler call Onward" }
      },
      { for p, job in local.job_projects : job.account => { project = p, id = "${var.prefix}-jobs", title = "As whom Onward's jobs run" } },
    ) : key => merge(a, { email = "${a.id}@${a.project}.iam.gserviceaccount.com" })
  }

  roles = merge(
    {
      results = {
        project = var.project
        id      = "${local.role_prefix}_results"
        title   = "Onward: keep the results of Python steps"
        # Nothing is ever written over. But who may not delete is told of an object that is there by 403, not 412.
        permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
      }
      names = {
        project = var.project
        id      = "${local.role_prefix}_names"
        title   = "Onward: see which objects there are"
        # Who may not list is told of an object that is not there by 403, not 404.
        permissions = ["storage.objects.list"]
      }
    },
    {
      for p, job in local.job_projects : job.account => {
        project     = p
        id          = "${local.role_prefix}_jobs"
        title       = "Onward: submit, read and cancel jobs"
        permissions = local.job_permissions
      }
    },
  )
  job_permissions = [
    "dataflow.jobs.cancel", "dataflow.jobs.create", "dataflow.jobs.get", "dataflow.jobs.list",
    "dataflow.jobs.updateContents", "dataflow.messages.list",
    "dataproc.autoscalingPolicies.use",
    "dataproc.batches.cancel", "dataproc.batches.create", "dataproc.batches.get", "dataproc.batches.list",
    "dataproc.clusters.create", "dataproc.clusters.delete", "dataproc.clusters.get", "dataproc.clusters.list",
    "dataproc.clusters.use",
    "dataproc.jobs.cancel", "dataproc.jobs.create", "dataproc.jobs.get", "dataproc.jobs.list",
    "dataproc.operations.cancel", "dataproc.operations.get", "dataproc.operations.list",
    "dataproc.workflowTemplates.instantiate", "dataproc.workflowTemplates.instantiateInline",
    "workflows.executions.cancel", "workflows.executions.create", "workflows.executions.get",
    "workflows.executions.list",
  ]
}

# Grants: to whom, which role, on what ------------------------------------

locals {
  publish = "roles/pubsub.publisher"
  act_as  = "roles/iam.serviceAccountUser"
  use     = { read = "roles/storage.objectViewer", write = "roles/storage.objectUser" }

  of_database = {
    title      = "Only the database of Onward"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
  objects   = "projects/_/buckets/${local.work}/objects/onward/"
  is_onward = { title = "Only the objects of Onward", expression = "resource.name.startsWith(\"${local.objects}\")" }
  is_result = { title = "Only the results of Python steps", expression = "resource.name.startsWith(\"${local.objects}python/\")" }
  is_source = {
    title      = "Only the sources of functions"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-${var.region}\")"
  }
  not_ours = { title = "Not the objects of Onward", expression = "!resource.name.startsWith(\"${local.objects}\")" }

  capabilities = {
    look = [{ on = "project", name = var.project, role = "roles/datastore.viewer", condition = local.of_database }]
    state = [
      { on = "project", name = var.project, role = "roles/datastore.user", condition = local.of_database },
      { on = "topic", name = "dead-letter", role = local.publish },
    ]
    tell = [
      { on = "topic", name = "wake", role = local.publish },
      # What pipelines announce: whoever decides, says it.
      { on = "topic", name = "announcements", role = local.publish },
      { on = "queue", name = "timers", role = "roles/cloudtasks.enqueuer" },
      { on = "account", name = "tasks", role = local.act_as },
    ]
    objects = concat(
      [{ on = "bucket", name = "work", role = local.use.write, condition = local.is_onward }],
      [for key in keys(local.buckets) : { on = "bucket", name = key, role = local.use.read }],
      [{ on = "bucket", name = "code", role = local.use.read }],
    )
    jobs = concat(
      [for can in ["enqueuer", "viewer", "taskDeleter"] : { on = "queue", name = "python", role = "roles/cloudtasks.${can}" }],
      [for p, job in local.job_projects : { on = "project", name = p, role = job.role }],
      [for job in local.job_projects : { on = "account", name = job.account, role = local.act_as }],
      [for email in local.foreign_accounts : { on = "account", name = email, role = local.act_as }],
    )
    report = concat(
      [
        { on = "bucket", name = "work", role = "projects/${var.project}/roles/${local.roles.results.id}", condition = local.is_result },
        { on = "bucket", name = "work", role = "projects/${var.project}/roles/${local.roles.names.id}" },
        { on = "topic", name = "completions", role = local.publish },
        { on = "topic", name = "dead-letter", role = local.publish },
      ],
      [for key, b in local.buckets : {
        on = "bucket", name = key, role = local.use[b.python], condition = key == "work" ? local.not_ours : null
      } if b.python != "none"],
    )
    act = [for t in ["start", "command"] : { on = "topic", name = t, role = local.publish }]
  }

  to_functions = flatten([
    for key, f in local.functions : [
      for capability in concat(f.may, key == "console" && var.console.actions ? ["act"] : []) : [
        for grant in local.capabilities[capability] : merge(grant, { to = key })
      ]
    ]
  ])
  to_callers = concat(
    [for key, f in local.functions : { to = "push", on = "function", name = key, role = "roles/run.invoker" } if f.topic != null],
    [for key, f in local.functions : { to = "tasks", on = "function", name = key, role = "roles/run.invoker" } if f.queue != null],
    [{ to = "push", on = "project", name = var.project, role = "roles/eventarc.eventReceiver" }],
  )
  to_build = [
    { to = "build", on = "project", name = var.project, role = "roles/logging.logWriter" },
    # Cloud Functions copies the archive into a bucket of its own, which is not there before the first build.
    { to = "build", on = "project", name = var.project, role = local.use.read, condition = local.is_source },
    { to = "build", on = "repository", name = local.repository, role = "roles/artifactregistry.writer" },
  ]
  to_jobs = flatten([
    for p, job in local.job_projects : [
      for grant in concat(
        [for role in setunion(["roles/dataproc.worker", "roles/dataflow.worker", "roles/dataflow.viewer", "roles/logging.logWriter"], var.job_roles) :
        { on = "project", name = p, role = role }],
        [for key, b in local.buckets : {
          on = "bucket", name = key, role = local.use[b.jobs], condition = key == "work" ? local.not_ours : null
        } if b.jobs != "none"],
        [
          { on = "bucket", name = "code", role = local.use.read },
          { on = "bucket", name = "staging", role = local.use.write },
          { on = "repository", name = local.repository, role = "roles/artifactregistry.reader" },
        ],
        var.pyspark_bell ? [{ on = "topic", name = "completions", role = local.publish }] : [],
        [for secret in var.secrets : { on = "secret", name = secret, role = "roles/secretmanager.secretAccessor" }],
      ) : merge(grant, { to = job.account })
    ]
  ])
  to_people = concat(
    [for m in var.starters : { to = m, on = "topic", name = "start", role = local.publish }],
    [for m in var.commanders : { to = m, on = "topic", name = "command", role = local.publish }],
    [for m in var.console.members : { to = m, on = "function", name = "console", role = "roles/run.invoker" } if var.console.enabled],
  )

  grants = {
    for g in concat(local.to_functions, local.to_callers, local.to_build, local.to_jobs, local.to_people) :
    "${g.to} ${g.role} ${g.on}/${g.name}" => merge({ condition = null }, g)
  }
}
