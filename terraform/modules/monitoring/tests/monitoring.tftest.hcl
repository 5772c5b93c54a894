mock_provider "google" {}

variables {
  project      = "acme"
  prefix       = "onward"
  dead_letters = ["onward-dead-letter"]
  submitters   = ["101", "102"]
  emails       = ["operators@example.com"]
}

run "what_must_be_known_has_an_alert" {
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.threshold)) == toset(["dead_letters", "run_failed", "run_overdue", "runs_crowded", "crashed", "backlog"])
    error_message = jsonencode(keys(google_monitoring_alert_policy.threshold))
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.threshold["dead_letters"].conditions[0].condition_threshold[0].filter, "one_of(\"onward-dead-letter\")")
    error_message = "the alert looks at another subscription"
  }
}

run "every_alert_reaches_the_people_named" {
  assert {
    condition     = alltrue([for a in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.reads]) : length(a.notification_channels) == 1])
    error_message = "an alert that nobody is told of"
  }
}

run "only_reads_of_our_own_accounts_are_counted" {
  assert {
    condition     = strcontains(google_monitoring_alert_policy.reads.conditions[0].condition_prometheus_query_language[0].query, "serviceaccount:(101|102)")
    error_message = "others' reads are counted too"
  }
}

run "the_dashboard_is_json_with_a_chart_for_each" {
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).gridLayout.widgets) == 10
    error_message = google_monitoring_dashboard.this.dashboard_json
  }
}

run "every_alert_leads_to_its_log_lines" {
  assert {
    condition     = google_monitoring_alert_policy.threshold["crashed"].documentation[0].links[0].url == "https://console.cloud.google.com/logs/query;query=resource.type%3D%22cloud_run_revision%22%20AND%20resource.labels.service_name%3D~%22%5Eonward-%22%20AND%20jsonPayload.outcome%3D%22crashed%22%20AND%20jsonPayload.door%3D%22$${metric.label.door}%22?project=acme"
    error_message = google_monitoring_alert_policy.threshold["crashed"].documentation[0].links[0].url
  }
  assert {
    condition     = alltrue([for a in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.reads]) : length(a.documentation[0].links) == 1])
    error_message = "an alert without a link to its log lines"
  }
}
