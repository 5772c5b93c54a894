# A key of one's own must be open to Google's own accounts, before they keep anything. For Cloud Storage and Artifact
# Registry `bootstrap` does it: Terraform's own state is kept there, and must be readable when all of this is gone.

locals {
  encrypts_jobs = ["compute-system", "dataflow-service-producer-prod", "dataproc-accounts", "gcp-sa-workflows"]
  encrypts_onward = [
    "gcf-admin-robot", "gcp-sa-eventarc", "gcp-sa-firestore", "gcp-sa-pubsub", "serverless-robot-prod",
  ]
  encrypting = var.kms_key == null ? {} : {
    for pair in concat(
      setproduct([var.project], local.encrypts_onward),
      setproduct(keys(module.topology.job_projects), local.encrypts_jobs),
    ) : join(" ", pair) => { number = data.google_project.this[pair[0]].number, agent = pair[1] }
  }
  kms_key = one(toset(values(google_kms_crypto_key_iam_member.agent)[*].crypto_key_id))
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = local.encrypting
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${each.value.number}@${each.value.agent}.iam.gserviceaccount.com"
}
