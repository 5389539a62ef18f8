"""Laws, curves, statistics, calibration and plots; reads tables, uses the public simulator."""
