"""Profiles: what a person can start, described once and compiled to each place that shows or checks it."""
