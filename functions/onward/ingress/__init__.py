"""Raw HTTP request → typed facts. Pure parsing: no network, and nothing here is believed but its form."""
