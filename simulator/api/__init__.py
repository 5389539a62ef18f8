"""What programs and notebooks call; ``import simulator as ts`` hands its names on."""
