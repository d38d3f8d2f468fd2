given = { list = [1, "a", null], "a b" = true }
