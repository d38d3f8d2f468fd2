a = <<-EOT
    four
      six

    four ${x}
    EOT
b = <<-EOT
    four
  two
   
	tab
EOT
c = <<-EOT
    ${x} at the beginning of a line but for spaces
      six
  EOT
d = <<-EOT
    four
${x} at the very beginning
  EOT
e = <<-EOT
    a ${x}
      b
    %{ if y }
    c
    %{ endif }
    EOT
f = <<-EOT
  EOT
