# Who there is, and their roles on what is not made here: projects, each other, the image repository, secrets.

locals {
  on      = { for kind in ["project", "account", "repository", "secret"] : kind => { for key, g in var.grants : key => g if g.on == kind } }
  members = { for key, account in google_service_account.this : key => account.member }
}

resource "google_service_account" "this" {
  for_each     = var.accounts
  project      = each.value.project
  account_id   = each.value.id
  display_name = each.value.title
}

resource "google_project_iam_custom_role" "this" {
  for_each    = var.roles
  project     = each.value.project
  role_id     = each.value.id
  title       = each.value.title
  permissions = each.value.permissions
}

resource "google_project_iam_member" "this" {
  for_each = local.on.project
  project  = each.value.name
  role     = each.value.role
  member   = lookup(local.members, each.value.to, each.value.to)
  dynamic "condition" {
    for_each = each.value.condition[*]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
  depends_on = [google_project_iam_custom_role.this]
}

resource "google_service_account_iam_member" "this" {
  for_each           = local.on.account
  service_account_id = try(google_service_account.this[each.value.name].name, "projects/-/serviceAccounts/${each.value.name}")
  role               = each.value.role
  member             = lookup(local.members, each.value.to, each.value.to)
}

resource "google_artifact_registry_repository_iam_member" "this" {
  for_each   = local.on.repository
  project    = split("/", each.value.name)[1]
  location   = split("/", each.value.name)[3]
  repository = split("/", each.value.name)[5]
  role       = each.value.role
  member     = lookup(local.members, each.value.to, each.value.to)
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each  = local.on.secret
  project   = var.project
  secret_id = each.value.name
  role      = each.value.role
  member    = lookup(local.members, each.value.to, each.value.to)
}
