"""What one person or one project owns on a cluster, as data."""
