"""Gold standard by people: a sample of the logs, coded in Label Studio, with weights kept."""
