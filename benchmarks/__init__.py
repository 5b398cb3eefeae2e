"""What the platform costs, measured beside the stock tools on the same machine."""
