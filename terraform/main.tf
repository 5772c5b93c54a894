data "google_project" "this" {
  for_each   = toset(concat([var.project], keys(var.job_projects)))
  project_id = each.key
}

locals {
  archive    = regex("^gs://(?P<bucket>[^/]+)/(?P<object>.+)$", var.archive)
  deployment = jsondecode(file(var.deployment))
  labels     = merge(var.labels, { onward = var.prefix })
  # What is given for jobs beside what topology says; an empty setting is the service's default.
  job_settings = {
    ONWARD_JOB_NETWORK    = var.job_network.network
    ONWARD_JOB_SUBNETWORK = var.job_network.subnetwork
    ONWARD_JOB_KMS_KEY    = coalesce(var.kms_key, " ")
    ONWARD_JOB_LABELS     = join(", ", [for k, v in local.labels : "${k}=${v}"])
  }
}

module "topology" {
  source         = "./modules/topology"
  project        = var.project
  project_number = data.google_project.this[var.project].number
  region         = var.region
  prefix         = var.prefix
  database       = var.database
  code_bucket    = local.archive.bucket
  buckets        = var.buckets
  job_projects   = var.job_projects
  job_roles      = var.job_roles
  secrets        = var.secrets
  pyspark_bell   = var.pyspark_bell
  starters       = var.starters
  commanders     = var.commanders
  console        = var.console
  python         = var.python
  deployment     = local.deployment
}

module "identities" {
  source   = "./modules/identities"
  project  = var.project
  accounts = module.topology.accounts
  roles    = module.topology.roles
  grants   = module.topology.grants
}

module "storage" {
  source     = "./modules/storage"
  project    = var.project
  location   = var.region
  buckets    = module.topology.buckets
  watched    = module.topology.watched
  topic      = module.messaging.topic_ids["object"]
  staging    = module.topology.staging
  code       = local.archive.bucket
  kms_key    = local.kms_key
  keep_state = var.keep_state
  grants     = module.topology.grants
  members    = module.identities.members
}

module "messaging" {
  source         = "./modules/messaging"
  project        = var.project
  project_number = data.google_project.this[var.project].number
  prefix         = var.prefix
  topics         = module.topology.topics
  routes         = module.topology.routes
  endpoints      = module.functions.endpoints
  caller         = module.identities.emails["push"]
  kms_key        = local.kms_key
  grants         = module.topology.grants
  members        = module.identities.members
}

module "functions" {
  source      = "./modules/functions"
  project     = var.project
  region      = var.region
  functions   = module.topology.functions
  environment = merge(module.topology.environment, { for k, v in local.job_settings : k => v if trimspace(v) != "" })
  archive     = local.archive
  repository  = module.topology.repository
  kms_key     = local.kms_key
  emails      = module.identities.emails
  members     = module.identities.members
  grants      = module.topology.grants
  # A build needs its account's roles, and the first event may come at once.
  depends_on = [module.identities, module.state, module.timers]
}

module "state" {
  source     = "./modules/state"
  project    = var.project
  name       = var.database
  location   = var.firestore_location
  kms_key    = local.kms_key
  keep_state = var.keep_state
}

module "timers" {
  source    = "./modules/timers"
  project   = var.project
  region    = var.region
  prefix    = var.prefix
  queues    = module.topology.queues
  schedules = module.topology.schedules
  url       = module.topology.functions["on_timer"].url
  caller    = module.identities.emails["tasks"]
  grants    = module.topology.grants
  members   = module.identities.members
}

module "jobs" {
  source               = "./modules/jobs"
  for_each             = module.topology.job_projects
  home                 = var.project
  project              = each.key
  regions              = each.value.regions
  prefix               = var.prefix
  completions          = module.topology.completions
  topic                = module.messaging.topic_ids["completions"]
  function             = { name = module.functions.names["on_job_event"], region = var.region }
  caller               = module.identities.emails["push"]
  account              = module.identities.emails[each.value.account]
  definitions          = { for id, source in local.deployment.definitions : id => file("${dirname(var.deployment)}/${source}") }
  kms_key              = local.kms_key
  autoscaling_policies = var.autoscaling_policies
  depends_on           = [module.identities]
}

module "monitoring" {
  source       = "./modules/monitoring"
  project      = var.project
  prefix       = var.prefix
  dead_letters = module.messaging.dead_letters
  submitters   = [for key, f in module.topology.functions : module.identities.unique_ids[key] if contains(f.may, "jobs")]
  emails       = var.alert_emails
}
