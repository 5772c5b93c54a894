"""The standard library of Workflows, a module per family.

Each module has FUNCTIONS (name → function) and BLOCKING (the names that only a `call` step may use). A
parameter's name and annotation are what the documentation says of it: they are checked before the call.
A trailing underscore keeps a name off a Python word; `io` is the world, not an argument.
"""
