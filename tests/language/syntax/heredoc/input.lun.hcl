a = <<EOT
plain \n "quoted" $${x} %%{y} $ %
  indented
EOT
b = <<E-1
with ${x} inside
and ${
  y
} over lines
E-1
c = <<EOT
EOT
d = <<EOT

EOT
e = [<<ONE
1
ONE
  , <<TWO
2
  TWO
]
f = <<EOT
EOTS and EOT are not the end
 EOT x
${"EOT"}
${x}EOT
EOT  
g = f(<<EOT
${<<INNER
inside ${x}
INNER
}
EOT
)
h = <<EOT
%{ for v in xs ~}
${v}
%{ endfor ~}
EOT
