"""What Onward costs per step, beside what the disk and Python allow: `make bench`."""
