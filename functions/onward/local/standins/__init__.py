"""Stand-ins for the services: their real gRPC surface, their rules of names and states, no network.

A test drives what the service would do by itself (a job ends, a cancel takes hold), plans faults, and counts
calls.
"""
