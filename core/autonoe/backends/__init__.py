"""Where things run: one interface, one implementation per mode of the platform."""
