"""What is raised when a promise does not hold."""


class Violation(AssertionError):
    """A promise was broken."""
