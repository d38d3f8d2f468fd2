automatic = 0.5
