"""What test folders share: the platform, the browser, places outside the repository."""
