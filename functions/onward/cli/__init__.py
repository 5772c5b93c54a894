"""The `onward` command."""
