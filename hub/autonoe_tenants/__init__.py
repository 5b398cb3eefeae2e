"""The tenant controller: makes and keeps what each person and each project owns on a cluster."""
