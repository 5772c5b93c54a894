"""What Onward costs: per step, beside what the disk and Python allow (`make bench`); per call of a warm
process (`python -m bench.pool`); per entry point of the cloud, cold and warm (`python -m bench.cold`).
"""
