default = "$${not.a.template}"
both    = "overwritten"
null    = null
