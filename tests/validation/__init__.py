"""Laws and published results that the simulator is held against, a row each."""
