# Metrics from the functions' lines, alerts, and a page that shows both.

locals {
  lines = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${var.prefix}-\""
  metrics = {
    outcomes = {
      title  = "What became of events"
      filter = "${local.lines} AND jsonPayload.outcome:*"
      labels = { door = "jsonPayload.door", outcome = "jsonPayload.outcome" }
    }
    runs = {
      title  = "Runs, by the state that they came to"
      filter = "${local.lines} AND jsonPayload.run_state:*"
      labels = { pipeline = "jsonPayload.pipeline", state = "jsonPayload.run_state" }
    }
  }
  of_metric = { for key, metric in google_logging_metric.this : key => "metric.type=\"logging.googleapis.com/user/${metric.name}\" AND resource.type=\"cloud_run_revision\"" }
  of_queue  = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id"

  alerts = {
    dead_letters = {
      title  = "Dead letters are waiting"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.of_queue}=one_of(${join(",", [for s in var.dead_letters : "\"${s}\""])})"
      align  = "ALIGN_MAX"
      above  = 0
      help   = "`make letters ${local.place}` tells what waits, and why. Mend the reason, then `make replay ${local.place}` has it dealt with again."
      lines  = "${local.lines} AND jsonPayload.outcome=\"poison\""
    }
    run_failed = {
      title  = "A run failed"
      filter = "${local.of_metric.runs} AND metric.labels.state=\"failed\""
      align  = "ALIGN_DELTA"
      above  = 0
      help   = "The log names the run, and says why. Mend that, then try the run again; what succeeded is not done again:\n\n    ${local.retry}"
      lines  = "${local.lines} AND jsonPayload.run_state=\"failed\""
      label  = "pipeline"
    }
    run_overdue = {
      title  = "A run is overdue"
      filter = "${local.of_metric.runs} AND metric.labels.state=\"overdue\""
      align  = "ALIGN_DELTA"
      above  = 0
      help   = "It has been open for more than a day. The log names it; what its steps wait for is in their services. Give steps a `timeout`, and such a run fails instead."
      lines  = "${local.lines} AND jsonPayload.run_state=\"overdue\""
      label  = "pipeline"
    }
    runs_crowded = {
      title  = "Runs wait for the hour to have room"
      filter = "${local.of_metric.runs} AND metric.labels.state=\"crowded\""
      align  = "ALIGN_DELTA"
      above  = 0
      help   = "More runs of the pipeline started within an hour than its `max_runs_per_hour`, 1,000 unless it says otherwise. Nothing is lost: the others begin as the hour has room. See what starts them, and whether it should; pause the pipeline if not, or raise the number."
      lines  = "${local.lines} AND jsonPayload.run_state=\"crowded\""
      label  = "pipeline"
    }
    crashed = {
      title  = "A function crashes"
      filter = "${local.of_metric.outcomes} AND metric.labels.outcome=\"crashed\""
      align  = "ALIGN_DELTA"
      above  = 0
      help   = "An error that nobody expected; the log line has its stack. The event is delivered again."
      lines  = "${local.lines} AND jsonPayload.outcome=\"crashed\""
      label  = "door"
    }
    backlog = {
      title  = "Events are not taken"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.of_queue}=starts_with(\"${var.prefix}-\") AND NOT ${local.of_queue}=one_of(${join(",", [for s in var.dead_letters : "\"${s}\""])})"
      align  = "ALIGN_MAX"
      above  = 1800
      help   = "A message is older than half an hour. The log says why it is not taken: a permission, a quota, a service that is down."
      lines  = "${local.lines} AND (jsonPayload.outcome=\"again\" OR severity>=ERROR)"
    }
  }
  place = "PROJECT=${var.project} PREFIX=${var.prefix}"
  retry = "gcloud pubsub topics publish ${var.prefix}-command --project ${var.project} --message '{\"command\": \"retry\", \"run\": \"RUN\"}'"
  # The Logs Explorer with the filter filled in; Monitoring itself puts in the label's value.
  logs = {
    for key, alert in merge(local.alerts, { reads = { lines = local.sink } }) : key => join("", [
      "https://console.cloud.google.com/logs/query;query=${replace(urlencode(alert.lines), "+", "%20")}",
      can(alert.label) ? "%20AND%20jsonPayload.${alert.label}%3D%22$${metric.label.${alert.label}}%22" : "",
      "?project=${var.project}",
    ])
  }
  sink = "resource.type=\"logging_sink\" AND resource.labels.name=\"${var.prefix}-completions\""

  calls = "serviceruntime_googleapis_com:api_request_count{monitored_resource=\"consumed_api\",credential_id=~\"serviceaccount:(${join("|", var.submitters)})\",method=~\".*\\\\.(%s)\"}"
  reads = format(local.calls, "GetJob|GetBatch|GetOperation|GetExecution|ListJobs|ListExecutions")
  made  = format(local.calls, "SubmitJob|SubmitJobAsOperation|CreateBatch|Instantiate(Inline)?WorkflowTemplate|LaunchFlexTemplate|LaunchTemplate|CreateExecution")
}

resource "google_logging_metric" "this" {
  for_each         = local.metrics
  project          = var.project
  name             = "${var.prefix}/${each.key}"
  filter           = each.value.filter
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }
  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    display_name = each.value.title
    dynamic "labels" {
      for_each = each.value.labels
      content { key = labels.key }
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.emails
  project      = var.project
  type         = "email"
  display_name = "Onward: ${each.key}"
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local.alerts
  project               = var.project
  display_name          = "${var.prefix}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = values(google_monitoring_notification_channel.email)[*].id
  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = each.value.align
      }
    }
  }
  documentation {
    content = each.value.help
    links {
      display_name = "Log"
      url          = local.logs[each.key]
    }
  }
  # Nothing is counted where nothing happens: the next one is told again.
  alert_strategy { auto_close = "1800s" }
}

# Each job costs one read when it has ended, and few more if it is long. More would be polling.
resource "google_monitoring_alert_policy" "reads" {
  project               = var.project
  display_name          = "${var.prefix}: Too many status reads per job"
  combiner              = "OR"
  notification_channels = values(google_monitoring_notification_channel.email)[*].id
  conditions {
    display_name = "More than 5 reads per job in six hours"
    condition_prometheus_query_language {
      query               = "sum(increase(${local.reads}[6h])) > 100 and sum(increase(${local.reads}[6h])) / (sum(increase(${local.made}[6h])) + 1) > 5"
      duration            = "0s"
      evaluation_interval = "600s"
    }
  }
  documentation {
    content = "Events of ended jobs may be lost, so that only timers find them: look whether the log sink still publishes to ${var.prefix}-completions."
    links {
      display_name = "Log"
      url          = local.logs["reads"]
    }
  }
}

locals {
  charts = concat(
    [for key, alert in local.alerts : { title = alert.title, source = { timeSeriesFilter = { filter = alert.filter, aggregation = { alignmentPeriod = "300s", perSeriesAligner = alert.align } } } }],
    [for key in ["outcomes", "runs"] : {
      title  = local.metrics[key].title
      source = { timeSeriesFilter = { filter = local.of_metric[key], aggregation = { alignmentPeriod = "300s", perSeriesAligner = "ALIGN_DELTA" } } }
    }],
    [{ title = "Status reads", source = { prometheusQuery = "sum by (method) (increase(${local.reads}[1h]))" } }],
    [{ title = "Jobs submitted", source = { prometheusQuery = "sum by (method) (increase(${local.made}[1h]))" } }],
  )
}

resource "google_monitoring_dashboard" "this" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "Onward (${var.prefix})"
    gridLayout = {
      columns = "2"
      widgets = [for chart in local.charts : {
        title   = chart.title
        xyChart = { dataSets = [{ timeSeriesQuery = chart.source }] }
      }]
    }
  })
}
