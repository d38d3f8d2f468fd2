# one
// two
/* three
   over lines */
a = 1 # trailing
b = /* inside */ 2 // trailing
c = [ # after a bracket
  1, // after a comma
  /* before */ 2,
]
d { # after a brace
  # alone
  e = 1
  /* before */ f = 2 /* after */
} // after a block
g = "# not /* a // comment"
h = 6 / 2 // 3
i = {
  # in an object
  a = 1 # after an item

  b = 2
}
# the end