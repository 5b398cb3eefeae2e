"""The embedded platform: real components as processes on one machine, without containers."""
