"""Plays each scenario through both doors: the embedded runtime, and the functions of the cloud."""
