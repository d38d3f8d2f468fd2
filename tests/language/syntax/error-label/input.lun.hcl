a "b${c}" {
}
d <<E {
E
}
f "g\h" {
}
i "%{ if x }y%{ endif }" {
}
