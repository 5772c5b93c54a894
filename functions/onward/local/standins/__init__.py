"""Stand-ins for Google's services: their real gRPC surface, their rules of names and states, no network.

A test drives what a service would do by itself (a job ends, a cancel takes hold), plans faults, and counts
calls. On a laptop the `wrapped_` ones run what they accept, and `stack` starts all that the cloud path needs.
"""
