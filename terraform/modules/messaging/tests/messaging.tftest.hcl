mock_provider "google" {}

variables {
  project        = "acme"
  project_number = "123"
  prefix         = "onward"
  topics         = { object = "onward-object", dead-letter = "onward-dead-letter" }
  routes = {
    object = { topic = "object", function = "on_object", dead_letter = "dead-letter" }
    orders = { topic = "projects/shop/topics/orders", function = "on_message", dead_letter = "dead-letter", says = "projects/shop/topics/orders" }
  }
  endpoints = { on_object = "https://on-object.example.com", on_message = "https://on-message.example.com" }
  caller    = "push@acme.iam.gserviceaccount.com"
  kms_key   = null
  grants    = {}
  members   = {}
}

run "every_push_is_signed_and_tried_100_times" {
  assert {
    condition     = alltrue([for s in google_pubsub_subscription.push : s.push_config[0].oidc_token[0].audience == split("?", s.push_config[0].push_endpoint)[0] && s.dead_letter_policy[0].max_delivery_attempts == 100])
    error_message = "a subscription without a token, or without a hundred tries"
  }
}

run "subscriptions_and_their_messages_do_not_expire_early" {
  assert {
    condition     = alltrue([for s in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.dead_letter)) : s.expiration_policy[0].ttl == ""])
    error_message = "a subscription that is idle for a month would be gone"
  }
  assert {
    condition     = google_pubsub_subscription.dead_letter["dead-letter"].message_retention_duration == "2678400s"
    error_message = "dead letters are not kept for 31 days"
  }
}

run "the_topic_of_another_project_is_only_subscribed_to" {
  assert {
    condition     = google_pubsub_subscription.push["orders"].topic == "projects/shop/topics/orders" && length(google_pubsub_topic.this) == 2
    error_message = google_pubsub_subscription.push["orders"].topic
  }
}

run "a_pipelines_topic_is_told_to_its_function" {
  assert {
    condition     = google_pubsub_subscription.push["orders"].push_config[0].push_endpoint == "https://on-message.example.com?topic=projects%2Fshop%2Ftopics%2Forders"
    error_message = google_pubsub_subscription.push["orders"].push_config[0].push_endpoint
  }
  assert {
    condition     = google_pubsub_subscription.push["object"].push_config[0].push_endpoint == "https://on-object.example.com"
    error_message = google_pubsub_subscription.push["object"].push_config[0].push_endpoint
  }
}

run "a_route_without_dead_letter_is_refused" {
  command = plan
  variables {
    routes = { object = { topic = "object", function = "on_object", dead_letter = "nowhere" } }
  }
  expect_failures = [var.routes]
}
