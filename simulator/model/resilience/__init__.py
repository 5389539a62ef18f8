"""What goes wrong in a team, and the patterns by which it answers: state and rules, no clock."""
