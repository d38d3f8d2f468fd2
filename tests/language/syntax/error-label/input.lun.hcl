a "b${c}" {
}
d <<E {
E
}
f "g\h" {
}
i "%{ if x }y%{ endif }" {
}
"j" {
}
k = l."é"
m = "f"(1)
n = [for o in p : q."r"]
