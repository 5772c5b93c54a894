# A key of one's own must be open to Google's own accounts, before they keep anything.

locals {
  kms_agents = {
    storage           = "gs-project-accounts"
    pubsub            = "gcp-sa-pubsub"
    firestore         = "gcp-sa-firestore"
    functions         = "gcf-admin-robot"
    run               = "serverless-robot-prod"
    artifact_registry = "gcp-sa-artifactregistry"
    eventarc          = "gcp-sa-eventarc"
    workflows         = "gcp-sa-workflows"
    dataproc          = "dataproc-accounts"
    dataflow          = "dataflow-service-producer-prod"
    compute           = "compute-system"
  }
  kms_key = one(toset(values(google_kms_crypto_key_iam_member.agent)[*].crypto_key_id))
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = var.kms_key == null ? {} : local.kms_agents
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.this.number}@${each.value}.iam.gserviceaccount.com"
}
