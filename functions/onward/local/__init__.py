"""The embedded runtime: everything that the cloud does, on one machine."""
