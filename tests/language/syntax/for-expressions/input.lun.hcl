a = [for v in x : v]
b = [for k, v in x : "${k}${v}" if v != null]
c = { for v in x : v => 1 }
d = { for k, v in x : k => v... if k }
e = [
  for v in x :
  v
  if v
]
f = {
  for k, v
  in x : k
  => v
}
g = [for v in [for w in x : w if w] : { for u in v : u => u }]
h = [for v in x : -v if -v < 0]
