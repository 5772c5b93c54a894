"""Calls of the functions that users wrote: a process that makes them, and how they are told in the cloud.

On a laptop and in the cloud the same worker processes make them.
"""
