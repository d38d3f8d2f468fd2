both      = "a"
automatic = 1
