"""YAML text → a checked Pipeline, or every problem of the file in one go.

loader       the way through: text → tree → pipeline → checks
parsing      text → a tree of values that know their lines (nodes, scalars)
grammar      every key of a file and the shape of its value (shapes, records)
checks       what must hold between values (references: names in templates; graph: needs)
schema       the grammar as JSON Schema, for editors
"""
