a = "x  ${~ y ~}  z"
b = "x ${~ y } z"
c = "x ${ y ~} z"
d = "  ${~ x ~}  "
e = "${x ~} "
f = "a\n\t ${~ x ~} \n b"
g = "${x ~} ${~ y}"
h = <<EOT
  one
  ${~ x ~}
  two
EOT
i = "x%{~ if a ~} y %{~ else ~} z %{~ endif ~} w"
