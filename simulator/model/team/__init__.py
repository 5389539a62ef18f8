"""What the team has in common: the board's commits, reviews, reports, partitions."""
