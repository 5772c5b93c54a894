variables {
  project        = "acme-data"
  project_number = "123456789012"
  region         = "europe-west1"
  code_bucket    = "acme-data-onward-code"
}

run "those_who_read_arrivals_can_not_touch_jobs" {
  command = plan
  assert {
    condition = alltrue([for g in output.grants : !(
      contains(["on_object", "on_message", "on_command"], g.to) && (g.on == "bucket" || strcontains(g.role, "/roles/onward_jobs") || g.name == "jobs@acme-data")
    )])
    error_message = "an intake function has a grant about jobs or objects"
  }
}

run "announcements_are_made_by_who_decides_and_by_nobody_else" {
  command = plan
  assert {
    condition = toset([for g in output.grants : "${g.to} ${g.role}" if g.on == "topic" && g.name == "announcements"]) == toset([
      for f in ["on_object", "on_message", "on_command", "on_wake", "on_job_event", "on_timer"] : "${f} roles/pubsub.publisher"
    ])
    error_message = jsonencode([for g in output.grants : g if g.name == "announcements"])
  }
  assert {
    condition     = output.environment.ONWARD_ANNOUNCEMENT_TOPIC == "onward-announcements"
    error_message = "the functions do not know the topic"
  }
}

run "nobody_administers_dataproc" {
  command = plan
  assert {
    condition     = length([for g in output.grants : g if strcontains(g.role, "dataproc") && g.role != "roles/dataproc.worker"]) == 0
    error_message = "only the custom role reaches Dataproc"
  }
  assert {
    condition = alltrue([for role in output.roles : alltrue([
      for p in role.permissions : !endswith(p, "setIamPolicy") && !can(regex("^dataproc\\.(autoscalingPolicies|clusters)\\.(update|setIamPolicy)$", p))
    ])])
    error_message = "the custom role administers"
  }
}

run "run_python_keeps_results_and_rings_and_nothing_else" {
  command = plan
  assert {
    condition = toset([for g in output.grants : "${basename(g.role)} ${g.on}/${g.name}" if g.to == "run_python"]) == toset([
      "onward_results bucket/work", "onward_names bucket/work", "pubsub.publisher topic/completions", "pubsub.publisher topic/dead-letter",
    ])
    error_message = jsonencode([for g in output.grants : g if g.to == "run_python"])
  }
  assert {
    condition     = alltrue([for g in output.grants : endswith(g.condition.expression, "/objects/onward/python/\")") if g.to == "run_python" && endswith(g.role, "_results")])
    error_message = "run_python writes elsewhere"
  }
  assert {
    condition     = output.roles["names"].permissions == ["storage.objects.list"]
    error_message = "outside of its results run_python sees more than names"
  }
}

run "even_where_python_steps_may_write_they_do_not_touch_the_objects_of_onward" {
  command = plan
  variables { buckets = { work = { python = "write" } } }
  assert {
    condition     = output.grants["run_python roles/storage.objectUser bucket/work"].condition.title == "Not the objects of Onward"
    error_message = "Python steps may write Onward's own objects"
  }
}

run "python_steps_are_let_into_a_bucket_by_name" {
  command = plan
  variables { buckets = { reports = { python = "write" }, landing = {} } }
  assert {
    condition     = [for g in output.grants : g.name if g.to == "run_python" && startswith(g.role, "roles/storage.")] == ["reports"]
    error_message = jsonencode([for g in output.grants : g if g.to == "run_python"])
  }
}

run "jobs_do_not_touch_the_objects_of_onward" {
  command = plan
  assert {
    condition     = one([for g in output.grants : g.condition.expression if g.to == "jobs@acme-data" && g.name == "work"]) == "!resource.name.startsWith(\"projects/_/buckets/acme-data-onward-work/objects/onward/\")"
    error_message = "jobs may write Onward's own objects"
  }
}

run "the_console_only_reads" {
  command = plan
  variables { console = { enabled = true, members = ["group:data@example.com"] } }
  assert {
    condition     = [for g in output.grants : g.role if g.to == "console"] == ["roles/datastore.viewer"]
    error_message = jsonencode([for g in output.grants : g if g.to == "console"])
  }
}

run "unless_its_actions_are_switched_on" {
  command = plan
  variables { console = { enabled = true, actions = true } }
  assert {
    condition     = toset([for g in output.grants : g.name if g.to == "console" && g.on == "topic"]) == toset(["command", "start"])
    error_message = jsonencode([for g in output.grants : g if g.to == "console"])
  }
}

run "who_may_start_can_not_command" {
  command = plan
  variables { starters = ["group:data@example.com"] }
  assert {
    condition     = [for g in output.grants : "${g.on}/${g.name}" if g.to == "group:data@example.com"] == ["topic/start"]
    error_message = "starters got more than the start topic"
  }
}

run "jobs_of_other_projects_and_accounts_are_granted_there" {
  command = plan
  variables {
    job_projects = { acme-jobs = { regions = ["us-central1"] } }
    deployment   = { pipelines = { p = { projects = ["acme-jobs"], regions = ["us-central1"], service_accounts = ["own@acme-jobs.iam.gserviceaccount.com"] } } }
  }
  assert {
    condition     = output.grants["on_wake projects/acme-jobs/roles/onward_jobs project/acme-jobs"].condition == null
    error_message = "on_wake can't submit to the other project"
  }
  assert {
    condition     = contains(keys(output.grants), "on_wake roles/iam.serviceAccountUser account/own@acme-jobs.iam.gserviceaccount.com")
    error_message = "on_wake can't act as a pipeline's own account"
  }
  assert {
    condition     = contains(keys(output.grants), "jobs@acme-jobs roles/dataproc.worker project/acme-jobs")
    error_message = "the other project's jobs have no account"
  }
}
