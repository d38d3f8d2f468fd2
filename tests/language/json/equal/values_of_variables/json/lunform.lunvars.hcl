default = "overwritten by the one in JSON"
