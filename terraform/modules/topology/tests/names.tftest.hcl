variables {
  project        = "acme-data"
  project_number = "123456789012"
  region         = "europe-west1"
  code_bucket    = "acme-data-onward-code"
}

run "everything_is_named_by_prefix" {
  command = plan
  variables { prefix = "team" }
  assert {
    condition     = alltrue([for a in output.accounts : startswith(a.id, "team-") && length(a.id) <= 30])
    error_message = "an account without the prefix, or too long: ${jsonencode(output.accounts)}"
  }
  assert {
    condition     = alltrue([for t in output.topics : startswith(t, "team-")])
    error_message = jsonencode(output.topics)
  }
}

run "by_default_the_completions_topic_is_onward_completions" {
  command = plan
  assert {
    condition     = output.topics["completions"] == "onward-completions" && output.environment.ONWARD_TIMER_URL == "https://onward-on-timer-123456789012.europe-west1.run.app"
    error_message = jsonencode([output.topics, output.environment])
  }
}

run "sixteen_letters_are_enough" {
  command = plan
  variables { prefix = "sixteen-letters8" }
  assert {
    condition     = max([for a in output.accounts : length(a.id)]...) <= 30
    error_message = jsonencode(output.accounts)
  }
}

run "a_topic_of_a_pipeline_leads_to_on_message" {
  command = plan
  variables {
    deployment = { topics = ["orders", "projects/other/topics/sales"] }
  }
  assert {
    condition     = output.routes["start-orders"].function == "on_message" && output.routes["start-other-sales"].topic == "projects/other/topics/sales"
    error_message = jsonencode(output.routes)
  }
  assert {
    condition     = output.topics["start-orders"] == "orders" && !contains(values(output.topics), "projects/other/topics/sales")
    error_message = "a topic that exists elsewhere is not made"
  }
  assert {
    condition     = output.routes["start-orders"].says == "orders" && output.routes["start-other-sales"].says == "projects/other/topics/sales" && output.routes["start"].says == null
    error_message = "a pipeline's topic is not told as the pipeline spells it"
  }
}

run "a_watched_bucket_is_found_by_its_name" {
  command = plan
  variables {
    buckets    = { landing = {}, archive = { name = "acme-archive", create = false } }
    deployment = { buckets = ["acme-data-onward-landing"], env = { landing = "acme-data-onward-landing", note = "anything" } }
  }
  assert {
    condition     = output.watched == toset(["landing"])
    error_message = jsonencode(output.watched)
  }
}

run "as_many_instances_as_calls_and_no_more" {
  command = plan
  variables { python = { calls = 3, memory = "4Gi" } }
  assert {
    condition     = output.functions["run_python"].max_instances == 3 && output.functions["run_python"].concurrency == 1 && output.queues["python"].concurrent == 3
    error_message = jsonencode([output.functions["run_python"], output.queues])
  }
}
