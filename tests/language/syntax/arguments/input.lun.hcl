a = 1
b-c = true

  _d   =   null   # spaces around do not matter
für = "x"
for = 1
in = 2
if = 3
true = 4
e = (
  1
)