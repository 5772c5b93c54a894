# What the sample pipeline of workflows/weather needs. A copy of this file is a start for your own.

firestore_location = "eur3" # these three can't be changed later
database           = "(default)"
kms_key            = null

buckets = {
  landing = { jobs = "read" }
  reports = { python = "write" } # the step `chart` is Python: it draws from one bucket into the other
  work    = { python = "write" }
}
