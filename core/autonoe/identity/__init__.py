"""How OpenBao and SeaweedFS are configured, and the chain from a proof to an S3 session."""
