size = "1GiB"
